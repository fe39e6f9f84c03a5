/**
 * What nodes tell one another. Every message of a stream (one process) carries the next number, so a gap shows that one was lost.
 * A message is a hint: what it says counts by rank, and the loss of one only makes near-caches ask again.
 */
export type FeedMessage =
  /** A token as it now is; `value` in the form of the live pool. */
  | { readonly kind: 'token'; readonly owner: string; readonly slot: string; readonly value: string }
  /** The owner's pool was loaded again: what is known of it must be checked. */
  | { readonly kind: 'owner'; readonly owner: string }
  /** The master is there. */
  | { readonly kind: 'beat'; readonly epoch: number }
  /** The lease was given up: whoever stands may take it now. */
  | { readonly kind: 'vacant' };

export interface Numbered {
  readonly stream: string;
  readonly number: number;
  readonly message: FeedMessage;
}

export function encodeMessage(numbered: Numbered): string {
  return JSON.stringify(numbered);
}

/** undefined for anything that is not a message of the feed. */
export function decodeMessage(text: string): Numbered | undefined {
  try {
    const value = JSON.parse(text) as Partial<Numbered> | null;
    if (typeof value?.stream !== 'string' || typeof value.number !== 'number' || typeof value.message?.kind !== 'string') return undefined;
    return value as Numbered;
  } catch {
    return undefined;
  }
}
