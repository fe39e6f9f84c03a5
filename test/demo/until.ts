import { setTimeout as sleep } from 'node:timers/promises';

/** Something the show depends on did not happen. */
export class NotSeen extends Error {}

export interface Patience {
  readonly timeoutMs: number;
  readonly everyMs?: number;
  /** Called before each look after the first. */
  readonly meanwhile?: () => void;
}

/**
 * Looks until there is something to see.
 * @throws NotSeen after `timeoutMs`
 */
export async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined, { timeoutMs, everyMs = 50, meanwhile }: Patience, signal: AbortSignal): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    signal.throwIfAborted();
    if (seen !== undefined) return seen;
    if (performance.now() > deadline) throw new NotSeen(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    meanwhile?.();
    await sleep(everyMs, undefined, { signal });
  }
}

/** What cannot be interrupted is left to itself: the guards of the harness end it with this process. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => { reject(signal.reason as Error); };
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  return Promise.race([work, promise]).finally(() => { signal.removeEventListener('abort', abort); });
}
