import { ServiceError } from '../domain/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { NearCache } from './near-cache.ts';
import type { Found, TokenLookup } from './token-lookup.ts';

export interface WaitRules {
  /** Longest wait for a token, ms: `waitingTimeForToken` x `retryAttempt`. */
  readonly longestMs: number;
  /** How long until the stores are asked again while nothing arrives, ms. */
  readonly lookEveryMs: number;
  /** How often they are asked again at most. */
  readonly looks: number;
}

/** How long a caller waits at most while no store answers, ms: a restart of a store is bridged, an outage is said. */
const longestWithoutStoresMs = 5000;

export interface ReadMetrics {
  read(source: 'memory' | 'redis' | 'mysql' | 'none', outcome: 'served' | 'failed'): void;
  waitBegan(): void;
  waitEnded(seconds: number): void;
}

/** GET: hands out a usable access token of the owner. Waits only where there is none, and wakes when one arrives. */
export class TokenAcquirer {
  readonly #cache: NearCache;
  readonly #lookup: TokenLookup;
  readonly #rules: WaitRules;
  readonly #clock: Clock;
  readonly #metrics: ReadMetrics;

  constructor(cache: NearCache, lookup: TokenLookup, rules: WaitRules, clock: Clock, metrics: ReadMetrics) {
    this.#cache = cache;
    this.#lookup = lookup;
    this.#rules = rules;
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /**
   * @throws ServiceError TPS0007 no owner given, TPS0013 unknown owner, TPS0016 an owner without tokens, TPS0005 the wait ended
   * @throws StoreUnavailable where no store answers and this node knows no usable token
   */
  async acquire(ownerId: string, signal: AbortSignal): Promise<string> {
    try {
      return await this.#acquire(ownerId.trim(), signal);
    } catch (error) {
      this.#metrics.read('none', 'failed');
      throw error;
    }
  }

  async #acquire(ownerId: string, signal: AbortSignal): Promise<string> {
    if (ownerId === '') throw new ServiceError('TPS0007');
    const known = this.#cache.peek(ownerId);
    if (known !== undefined) return this.#served('memory', known);
    const found = await this.#lookup.find(ownerId);
    return found.kind === 'token' ? this.#served(found.source, found.accessToken) : this.#wait(ownerId, found, signal);
  }

  async #wait(ownerId: string, first: Found, signal: AbortSignal): Promise<string> {
    const begun = this.#clock.monotonic();
    let looks = 0;
    let found = first;
    this.#metrics.waitBegan();
    try {
      for (;;) {
        refuseHopeless(found);
        const left = begun + this.#longestMs(found) - this.#clock.monotonic();
        if (left <= 0 || signal.aborted) throw found.kind === 'unavailable' ? found.error : new ServiceError('TPS0005');
        const mayLook = looks < this.#rules.looks;
        await this.#cache.arrival(ownerId, mayLook ? Math.min(left, this.#rules.lookEveryMs) : left, signal);
        const arrived = this.#cache.anyUsable(ownerId);
        if (arrived !== undefined) return this.#served('memory', arrived);
        if (mayLook) looks++;
        if (mayLook) found = await this.#lookup.find(ownerId);
        if (found.kind === 'token') return this.#served(found.source, found.accessToken);
      }
    } finally {
      this.#metrics.waitEnded((this.#clock.monotonic() - begun) / 1000);
    }
  }

  #longestMs(found: Found): number {
    return found.kind === 'unavailable' ? Math.min(this.#rules.longestMs, longestWithoutStoresMs) : this.#rules.longestMs;
  }

  #served(source: 'memory' | 'redis' | 'mysql', accessToken: string): string {
    this.#metrics.read(source, 'served');
    return accessToken;
  }
}

function refuseHopeless(found: Found): void {
  if (found.kind === 'unknown_owner') throw new ServiceError('TPS0013');
  if (found.kind === 'no_tokens') throw new ServiceError('TPS0016');
}
