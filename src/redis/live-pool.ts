import type { LiveToken } from '../domain/token.ts';
import { callRedis, type ObserveCall } from './call.ts';
import type { RedisClient } from './connection.ts';
import type { LiveTokenCode } from './live-token-code.ts';
import { defineScripts } from './scripts.ts';

/** How long a pool outlives its last token, ms: until then a stale write cannot bring an older version back. */
const keptAfterExpiryMs = 24 * 3600 * 1000;

export interface PoolEntry {
  readonly ownerId: string;
  readonly token: LiveToken;
}

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

  constructor(reads: RedisClient, writes: RedisClient, prefix: string, code: LiveTokenCode, observe: ObserveCall) {
    this.#reads = reads;
    this.#writes = writes;
    this.#prefix = prefix;
    this.#code = code;
    this.#observe = observe;
    defineScripts(writes);
  }

  /** @throws StoreUnavailable within the deadline of the read connection */
  async tokensOf(ownerId: string): Promise<LiveToken[]> {
    const fields = await callRedis('pool.read', this.#observe, () => this.#reads.hgetall(this.#key(ownerId)));
    return this.#decodeAll(ownerId, fields);
  }

  /** @returns whether the token was newer than what the pool held */
  async put(ownerId: string, token: LiveToken): Promise<boolean> {
    const reply = await callRedis('pool.put', this.#observe, () =>
      this.#writes.putIfNewer(this.#key(ownerId), token.slot, token.version, token.uc, this.#code.encode(ownerId, token), keepUntil(token)),
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
    const tokens: LiveToken[] = [];
    for (const [slot, value] of Object.entries(fields)) {
      const token = this.#code.decode(ownerId, slot, value);
      if (token) tokens.push(token);
    }
    return tokens;
  }

  #key(ownerId: string): string {
    return `${this.#prefix}:pool:{${encodeURIComponent(ownerId)}}`;
  }

  #markKey(): string {
    return `${this.#prefix}:built`;
  }
}

function keepUntil(token: LiveToken): number {
  return Math.ceil(token.expiresAt + keptAfterExpiryMs);
}
