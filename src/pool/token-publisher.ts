import { StoreUnavailable } from '../domain/errors.ts';
import { outranks, type LiveToken } from '../domain/token.ts';
import type { FeedPublisher } from '../redis/feed.ts';
import type { LivePool } from '../redis/live-pool.ts';
import type { LiveTokenCode } from '../redis/live-token-code.ts';
import type { Logger } from '../runtime/log.ts';
import type { NearCache } from './near-cache.ts';

/** Brings a token to callers: into this node's cache, into the live pool, and to every node. What Redis did not take is kept for `retry`. */
export class TokenPublisher {
  readonly #cache: NearCache;
  readonly #livePool: LivePool;
  readonly #feed: FeedPublisher;
  readonly #code: LiveTokenCode;
  readonly #logger: Logger;
  readonly #unpublished = new Map<string, { ownerId: string; token: LiveToken }>();

  constructor(cache: NearCache, livePool: LivePool, feed: FeedPublisher, code: LiveTokenCode, logger: Logger) {
    this.#cache = cache;
    this.#livePool = livePool;
    this.#feed = feed;
    this.#code = code;
    this.#logger = logger;
  }

  /** @returns whether Redis took it; callers of this node get it either way */
  async publish(ownerId: string, token: LiveToken): Promise<boolean> {
    this.#cache.hear(ownerId, token);
    try {
      await this.#livePool.put(ownerId, token);
      await this.#feed.publish({ kind: 'token', owner: ownerId, slot: token.slot, value: this.#code.encode(ownerId, token) });
      return true;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      this.#keep(ownerId, token);
      return false;
    }
  }

  /** Publishes again what Redis did not take, unless it stands no more: a Redis that was emptied would take it all the same. */
  async retry(signal?: AbortSignal): Promise<void> {
    const keys = [...this.#unpublished.keys()];
    for (const key of keys) {
      if (signal?.aborted) return;
      // What is kept may be another by now.
      const kept = this.#unpublished.get(key);
      this.#unpublished.delete(key);
      if (!kept || !this.#isCurrent(kept.ownerId, kept.token)) continue;
      if (!(await this.publish(kept.ownerId, kept.token))) return;
    }
    if (keys.length > 0) this.#logger.info({ tokens: keys.length }, 'Tokens that Redis had missed are published');
  }

  /** Not where it was replaced, nor, unless it takes a token away, where the owner was found without tokens. */
  #isCurrent(ownerId: string, token: LiveToken): boolean {
    return (token.phase === 'gone' || this.#cache.knows(ownerId)) && !this.#cache.isOutdated(ownerId, token);
  }

  #keep(ownerId: string, token: LiveToken): void {
    const key = JSON.stringify([ownerId, token.slot]);
    const other = this.#unpublished.get(key);
    if (!other || outranks(token, other.token)) this.#unpublished.set(key, { ownerId, token });
  }
}
