import type { LiveToken } from '../domain/token.ts';
import { Unsealable } from '../runtime/key-ring.ts';
import { callRedis, type ObserveCall } from './call.ts';
import type { RedisClient } from './connection.ts';
import type { LiveTokenCode } from './live-token-code.ts';
import { defineScripts } from './scripts.ts';

/** How long a pool outlives its last token, and at least the last write, ms: until then a stale write cannot bring an older version back. */
const keptAfterExpiryMs = 24 * 3600 * 1000;

export interface PoolEntry {
  readonly ownerId: string;
  readonly token: LiveToken;
}

/** Told of a token that this node cannot read: it is under a key that is not in its ring, or was changed. */
export type OnUnreadable = (ownerId: string, slot: string, error: Unsealable) => void;

/**
 * The live pool: a hash for each owner with a field for each slot.
 * No write ever replaces a token by one of a lower rank, whoever writes and however late.
 */
export class LivePool {
  readonly #reads: RedisClient;
  readonly #writes: RedisClient;
  readonly #prefix: string;
  readonly #code: LiveTokenCode;
  readonly #observe: ObserveCall;
  readonly #onUnreadable: OnUnreadable;
  #losses = 0;

  constructor(reads: RedisClient, writes: RedisClient, prefix: string, code: LiveTokenCode, observe: ObserveCall, onUnreadable: OnUnreadable = () => undefined) {
    this.#reads = reads;
    this.#writes = writes;
    this.#prefix = prefix;
    this.#code = code;
    this.#observe = observe;
    this.#onUnreadable = onUnreadable;
    defineScripts(writes);
    for (const event of ['close', '-node']) writes.on(event, () => this.#losses++);
  }

  /** Grows when a server is lost. Another may take its place that lacks the last writes: replicas lag. */
  get losses(): number {
    return this.#losses;
  }

  /** What cannot be read is left out, and told of. @throws StoreUnavailable within the deadline of the read connection */
  async tokensOf(ownerId: string): Promise<LiveToken[]> {
    const fields = await callRedis('pool.read', this.#observe, () => this.#reads.hgetall(this.#key(ownerId)));
    return this.#decodeAll(ownerId, fields);
  }

  /** @returns whether the token was newer than what the pool held */
  async put(ownerId: string, token: LiveToken): Promise<boolean> {
    const reply = await callRedis('pool.put', this.#observe, () =>
      this.#writes.putIfNewer(this.#key(ownerId), token.slot, token.version, token.uc, this.#code.encode(ownerId, token), Math.ceil(token.expiresAt), keptAfterExpiryMs),
    );
    return reply === 1;
  }

  /** Puts many in one round trip for each owner's key. @returns how many were newer than what the pool held */
  async putAll(entries: readonly PoolEntry[]): Promise<number> {
    const replies = await Promise.all(entries.map(async ({ ownerId, token }) => this.put(ownerId, token)));
    return replies.filter(Boolean).length;
  }

  /** Marks the pool as built. A Redis that was flushed or came back empty has lost the mark, which tells the master to build it again. */
  async markBuilt(): Promise<void> {
    await callRedis('pool.mark', this.#observe, () => this.#writes.set(this.#markKey(), '1'));
  }

  async isBuilt(): Promise<boolean> {
    return (await callRedis('pool.mark', this.#observe, () => this.#writes.get(this.#markKey()))) !== null;
  }

  #decodeAll(ownerId: string, fields: Record<string, string>): LiveToken[] {
    return Object.entries(fields).flatMap(([slot, value]) => {
      try {
        return this.#code.decode(ownerId, slot, value) ?? [];
      } catch (error) {
        if (!(error instanceof Unsealable)) throw error;
        this.#onUnreadable(ownerId, slot, error);
        return [];
      }
    });
  }

  #key(ownerId: string): string {
    return `${this.#prefix}:pool:{${encodeURIComponent(ownerId)}}`;
  }

  #markKey(): string {
    return `${this.#prefix}:built`;
  }
}
