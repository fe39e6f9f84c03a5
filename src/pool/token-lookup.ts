import { setTimeout as delay } from 'node:timers/promises';

import { StoreUnavailable } from '../domain/errors.ts';
import { withdrawsDuringRefresh } from '../domain/owner.ts';
import { bestOf, type LiveToken, type Token } from '../domain/token.ts';
import type { Database } from '../mysql/connection.ts';
import type { OwnerTable } from '../mysql/owners.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import type { LivePool } from '../redis/live-pool.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { Unsealable } from '../runtime/key-ring.ts';
import { liveView } from './live-view.ts';
import type { NearCache } from './near-cache.ts';

/** Where a token was found, or why there is none. */
export type Found =
  | { readonly kind: 'token'; readonly source: 'memory' | 'redis' | 'mysql'; readonly accessToken: string }
  | { readonly kind: 'unknown_owner' }
  /** The owner has no token at all. */
  | { readonly kind: 'no_tokens' }
  /** None of the owner's tokens is usable now. */
  | { readonly kind: 'none_usable' }
  /** No store answers, and this node knows no usable token. */
  | { readonly kind: 'unavailable'; readonly error: StoreUnavailable };

/** While the feed is broken, what a store said is trusted for a second: a withdrawal must not be missed for longer (`withdrawalReachesAllMs`). */
const trustMs = 1000;
/** The same for an owner whose tokens are never withdrawn, while Redis is away and MySQL must answer for both. */
const trustLongerMs = 5000;

/** How long an id is remembered as unknown, ms, and how many are: whoever asks for it again meanwhile costs no store call. */
const unknownForMs = 1000;
const unknownsKept = 10_000;

/** After this many failures in a row Redis is left alone for a moment, so that reads do not all wait for its deadline. */
const failuresToPause = 3;
const pauseMs = 500;

/** How long MySQL is waited for where a usable token is known, ms. */
const patienceMs = 300;

/** After this time, ms, an owner that had a token until now is looked up once more. */
const lookAgainMs = 150;

export interface LookupStores {
  readonly livePool: LivePool;
  readonly db: Database;
  readonly owners: OwnerTable;
  readonly tokens: TokenTable;
}

/** Looks a token up in Redis, then in MySQL, each within its deadline; callers for one owner share one look-up. */
export class TokenLookup {
  readonly #stores: LookupStores;
  readonly #cache: NearCache;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #underWay = new Map<string, Promise<Found>>();
  readonly #asked = new Map<string, Promise<Found>>();
  readonly #unknownUntil = new Map<string, number>();
  #failures = 0;
  #pausedUntil = -Infinity;

  constructor(stores: LookupStores, cache: NearCache, clock: Clock, logger: Logger) {
    this.#stores = stores;
    this.#cache = cache;
    this.#clock = clock;
    this.#logger = logger;
  }

  async find(ownerId: string): Promise<Found> {
    if ((this.#unknownUntil.get(ownerId) ?? 0) > this.#clock.monotonic()) return { kind: 'unknown_owner' };
    const shared = this.#underWay.get(ownerId);
    if (shared) return shared;
    const find = this.#find(ownerId).finally(() => this.#underWay.delete(ownerId));
    this.#underWay.set(ownerId, find);
    return find;
  }

  async #find(ownerId: string): Promise<Found> {
    const askedAt = this.#clock.monotonic();
    const live = await this.#fromRedis(ownerId);
    if (live && live.length > 0) this.#cache.learn(ownerId, live, trustMs, askedAt);
    const usable = live && live.length > 0 ? this.#cache.anyUsable(ownerId) : undefined;
    if (usable !== undefined) return { kind: 'token', source: 'redis', accessToken: usable };
    try {
      return await this.#fromMySqlOrMemory(ownerId, live === undefined);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      return this.#fromMemory(ownerId) ?? (live && live.length > 0 ? { kind: 'none_usable' } : { kind: 'unavailable', error });
    }
  }

  /** A caller for whom a token is known does not wait for a MySQL that does not answer; its answer still counts when it comes. */
  async #fromMySqlOrMemory(ownerId: string, redisIsAway: boolean): Promise<Found> {
    const asked = this.#askedOnce(ownerId, redisIsAway);
    if (this.#cache.anyUsable(ownerId) === undefined) return asked;
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(resolve, patienceMs, undefined);
    try {
      return (await Promise.race([asked, late])) ?? this.#fromMemory(ownerId) ?? (await asked);
    } finally {
      clearTimeout(timer);
    }
  }

  /** While no store answers, what this node knows counts for a moment without asking again. */
  #fromMemory(ownerId: string): Found | undefined {
    const known = this.#cache.anyUsable(ownerId);
    if (known === undefined) return undefined;
    this.#cache.learn(ownerId, [], trustMs, this.#clock.monotonic());
    return { kind: 'token', source: 'memory', accessToken: known };
  }

  async #askedOnce(ownerId: string, redisIsAway: boolean): Promise<Found> {
    const shared = this.#asked.get(ownerId);
    if (shared) return shared;
    const asked = this.#fromMySql(ownerId, redisIsAway).finally(() => this.#asked.delete(ownerId));
    this.#asked.set(ownerId, asked);
    // Whoever asked may have gone on with what memory knew.
    asked.catch(() => undefined);
    return asked;
  }

  async #fromRedis(ownerId: string): Promise<LiveToken[] | undefined> {
    if (this.#clock.monotonic() < this.#pausedUntil) return undefined;
    try {
      const tokens = await this.#stores.livePool.tokensOf(ownerId);
      this.#failures = 0;
      return tokens;
    } catch (error) {
      if (error instanceof Unsealable) this.#logger.error({ owner: ownerId, reason: error.message }, 'A token in Redis cannot be read');
      else if (!(error instanceof StoreUnavailable)) throw error;
      else if (++this.#failures >= failuresToPause) this.#pausedUntil = this.#clock.monotonic() + pauseMs;
      return undefined;
    }
  }

  async #fromMySql(ownerId: string, redisIsAway: boolean): Promise<Found> {
    const { db, owners } = this.#stores;
    const askedAt = this.#clock.monotonic();
    const owner = await owners.byId(db, ownerId);
    if (!owner) return this.#unknown(ownerId);
    const rows = await this.#rowsOf(ownerId, owner.did);
    const now = this.#clock.now();
    if (rows.length === 0) {
      this.#cache.forget(ownerId);
      return { kind: 'no_tokens' };
    }
    const mayTrustLonger = redisIsAway && !withdrawsDuringRefresh(owner, rows.length > 1);
    const views = rows.map((row) => liveView(owner, row, rows, now));
    this.#cache.learn(ownerId, views, mayTrustLonger ? trustLongerMs : trustMs, askedAt);
    const usable = this.#cache.anyUsable(ownerId) ?? this.#handedOutAgain(ownerId, views, now);
    return usable === undefined ? { kind: 'none_usable' } : { kind: 'token', source: 'mysql', accessToken: usable };
  }

  /**
   * A token that was withdrawn for its refresh, and the owner's other has ended before the new one is there: the master died, or is late.
   * The withdrawal may carry the update count that the row still has, so that memory and Redis keep it.
   */
  #handedOutAgain(ownerId: string, views: readonly LiveToken[], now: number): string | undefined {
    return bestOf(views.filter((view) => !this.#cache.isOutdated(ownerId, view)), now)?.accessToken;
  }

  /** The Java service and operators replace a row by two transactions: between them the owner has none, and will have one at once. */
  async #rowsOf(ownerId: string, ownerDid: number): Promise<Token[]> {
    const { db, tokens } = this.#stores;
    const rows = await tokens.ofOwner(db, ownerDid);
    if (rows.length > 0 || !this.#cache.knows(ownerId)) return rows;
    await delay(lookAgainMs);
    return tokens.ofOwner(db, ownerDid);
  }

  #unknown(ownerId: string): Found {
    this.#cache.forget(ownerId);
    if (this.#unknownUntil.size >= unknownsKept) this.#unknownUntil.clear();
    this.#unknownUntil.set(ownerId, this.#clock.monotonic() + unknownForMs);
    return { kind: 'unknown_owner' };
  }
}
