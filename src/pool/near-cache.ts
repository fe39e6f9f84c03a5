import { bestOf, isUsable, outranks, type LiveToken } from '../domain/token.ts';
import type { Clock } from '../runtime/clock.ts';

interface Entry {
  readonly slots: Map<string, LiveToken>;
  /** What was handed out last: the fast answer while it is usable. */
  best: LiveToken | undefined;
  /** Monotonic ms when the store was asked that answered last. */
  checkedAt: number;
  /** Monotonic ms; what was asked until then must be asked again. */
  suspectAt: number;
  /** How long what the store said is trusted while the feed is broken, ms. */
  trustMs: number;
}

/** How long an entry is trusted without asking a store, ms, however healthy the feed. */
const recheckMs = 30_000;

/**
 * What this node knows of every owner's live tokens. Fed by the feed, which is a hint, and by look-ups in the stores.
 * While the feed is healthy an entry is trusted; after a gap, and while the feed is broken, it is checked again before use.
 * A slot never goes back to a token of a lower rank.
 */
export class NearCache {
  readonly #clock: Clock;
  readonly #feedHealthy: () => boolean;
  readonly #entries = new Map<string, Entry>();
  readonly #waiters = new Map<string, Set<() => void>>();
  #gapAt = -Infinity;

  constructor(clock: Clock, feedHealthy: () => boolean) {
    this.#clock = clock;
    this.#feedHealthy = feedHealthy;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** How many owners are known, and how many of them must be checked before their next use. */
  trust(): { trusted: number; suspect: number } {
    let trusted = 0;
    for (const entry of this.#entries.values()) if (this.#isTrusted(entry)) trusted++;
    return { trusted, suspect: this.#entries.size - trusted };
  }

  /** When each owner's usable tokens expire, epoch ms. An owner all of whose tokens were taken out of the record is none to look after. */
  *expiries(): Generator<{ ownerId: string; expiries: number[] }> {
    const now = this.#clock.now();
    for (const [ownerId, { slots }] of this.#entries) {
      if ([...slots.values()].every(({ phase }) => phase === 'gone')) continue;
      yield { ownerId, expiries: [...slots.values()].filter((token) => isUsable(token, now)).map((token) => token.expiresAt) };
    }
  }

  /** A usable access token that need not be checked first. */
  peek(ownerId: string): string | undefined {
    const entry = this.#entries.get(ownerId);
    if (!entry || !this.#isTrusted(entry)) return undefined;
    return this.#pick(entry)?.accessToken;
  }

  /** A usable access token, checked or not: for when no store answers. */
  anyUsable(ownerId: string): string | undefined {
    const entry = this.#entries.get(ownerId);
    return entry && this.#pick(entry)?.accessToken;
  }

  /**
   * Takes what a store said.
   * @param trustMs for how long it is trusted where the feed is broken
   * @param askedAt monotonic ms when the store was asked: what the feed said since, or failed to say, the store may not have known
   */
  learn(ownerId: string, tokens: readonly LiveToken[], trustMs: number, askedAt: number): void {
    const entry = this.#entry(ownerId);
    for (const token of tokens) put(entry, token);
    entry.best = undefined;
    entry.checkedAt = askedAt;
    entry.trustMs = trustMs;
    this.#wake(ownerId);
  }

  /** Takes a token from the feed. An owner that no store was asked about yet is still to be looked up: the message may be older than what stands. */
  hear(ownerId: string, token: LiveToken): void {
    const entry = this.#entry(ownerId);
    put(entry, token);
    entry.best = undefined;
    this.#wake(ownerId);
  }

  /** Every entry must be checked before its next use. */
  suspectAll(): void {
    this.#gapAt = this.#clock.monotonic();
  }

  suspect(ownerId: string): void {
    const entry = this.#entries.get(ownerId);
    if (entry) entry.suspectAt = this.#clock.monotonic();
    this.#wake(ownerId);
  }

  /** Whether the owner has, or had, a token as far as this node was told. */
  knows(ownerId: string): boolean {
    return this.#entries.has(ownerId);
  }

  /** Whether something later than `token` is known of its slot. */
  isOutdated(ownerId: string, token: LiveToken): boolean {
    const known = this.#entries.get(ownerId)?.slots.get(token.slot);
    return known !== undefined && outranks(known, token);
  }

  forget(ownerId: string): void {
    this.#entries.delete(ownerId);
  }

  /** Whether the slot of the owner is known to be at `version` or later. */
  hasReached(ownerId: string, version: number): LiveToken | undefined {
    const slots = this.#entries.get(ownerId)?.slots.values() ?? [];
    return [...slots].find((token) => token.version >= version && isUsable(token, this.#clock.now()));
  }

  /** Resolves when something about the owner arrives, after `ms`, or when aborted. */
  async arrival(ownerId: string, ms: number, signal: AbortSignal): Promise<void> {
    const waiters = this.#waiters.get(ownerId) ?? new Set();
    this.#waiters.set(ownerId, waiters);
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        waiters.delete(done);
        if (waiters.size === 0 && this.#waiters.get(ownerId) === waiters) this.#waiters.delete(ownerId);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      waiters.add(done);
      if (signal.aborted) done();
    });
  }

  #entry(ownerId: string): Entry {
    let entry = this.#entries.get(ownerId);
    if (!entry) {
      entry = { slots: new Map(), best: undefined, checkedAt: -Infinity, suspectAt: -Infinity, trustMs: 0 };
      this.#entries.set(ownerId, entry);
    }
    return entry;
  }

  #isTrusted(entry: Entry): boolean {
    const age = this.#clock.monotonic() - entry.checkedAt;
    if (entry.checkedAt <= entry.suspectAt) return false;
    if (!this.#feedHealthy()) return age < entry.trustMs;
    return age < recheckMs && entry.checkedAt > this.#gapAt;
  }

  #pick(entry: Entry): LiveToken | undefined {
    const now = this.#clock.now();
    if (entry.best && isUsable(entry.best, now)) return entry.best;
    entry.best = bestOf(entry.slots.values(), now);
    return entry.best;
  }

  #wake(ownerId: string): void {
    for (const wake of this.#waiters.get(ownerId) ?? []) wake();
  }
}

function put(entry: Entry, token: LiveToken): void {
  const known = entry.slots.get(token.slot);
  if (!known || outranks(token, known)) entry.slots.set(token.slot, token);
}
