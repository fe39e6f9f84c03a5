import Redlock, { ExecutionError, ResourceLockedError, type Lock } from 'redlock';

import { StoreUnavailable } from '../domain/errors.ts';
import type { RedisClient } from './connection.ts';

/**
 * The master's lease (redlock on one Redis, Sentinel or Cluster). It keeps work in one place and is no guard:
 * who may use a refresh token is decided by a claim in the system of record.
 */
export class RedisLease {
  readonly #redis: RedisClient;
  readonly #redlock: Redlock;
  readonly #key: string;
  #lock: Lock | undefined;

  constructor(redis: RedisClient, prefix: string) {
    this.#redis = redis;
    // No retries of its own: they would report the loss of a lease after it has ended.
    this.#redlock = new Redlock([redis], { retryCount: 0 });
    this.#redlock.on('error', () => undefined);
    this.#key = `${prefix}:lease`;
  }

  /**
   * Looks before it takes: a Redis that hangs does late what it was asked, and the lease would be with a node that has given up waiting for it.
   * @returns false where another node holds the lease
   * @throws StoreUnavailable
   */
  async acquire(leaseMs: number): Promise<boolean> {
    if (this.#lock && this.#lock.expiration > Date.now() && (await this.extend(leaseMs))) return true;
    if ((await this.endsInMs(leaseMs)) > 0) return false;
    try {
      this.#lock = await this.#redlock.acquire([this.#key], leaseMs);
      return true;
    } catch (error) {
      if (await isHeldByAnother(error)) return false;
      throw new StoreUnavailable('redis', error);
    }
  }

  /**
   * @returns false where the lease is lost: it ran out, or Redis lost it
   * @throws StoreUnavailable
   */
  async extend(leaseMs: number): Promise<boolean> {
    if (!this.#lock) return false;
    try {
      this.#lock = await this.#lock.extend(leaseMs);
      return true;
    } catch (error) {
      if (this.#lock.expiration < Date.now() || (await isHeldByAnother(error))) return false;
      throw new StoreUnavailable('redis', error);
    }
  }

  /**
   * ms after which the lease of whoever holds it has run out, unless it is renewed; 0 where nobody does.
   * One without an end, which no node makes, would keep all from standing for ever: it is given one.
   * @throws StoreUnavailable
   */
  async endsInMs(leaseMs: number): Promise<number> {
    try {
      const leftMs = await this.#redis.pttl(this.#key);
      // Redis ends a key after the last of its milliseconds. A negative answer: -2 is no key, -1 one without an end.
      if (leftMs >= 0) return leftMs + 1;
      if (leftMs === -2) return 0;
      await this.#redis.pexpire(this.#key, leaseMs);
      return leaseMs + 1;
    } catch (error) {
      throw new StoreUnavailable('redis', error);
    }
  }

  /** Gives the lease up, if it is still held; a failure only means that it runs out by itself. */
  async release(): Promise<void> {
    const lock = this.#lock;
    this.#lock = undefined;
    await lock?.release().catch(() => undefined);
  }
}

async function isHeldByAnother(error: unknown): Promise<boolean> {
  if (!(error instanceof ExecutionError)) return false;
  for (const attempt of error.attempts) {
    for (const vote of (await attempt).votesAgainst.values()) if (!(vote instanceof ResourceLockedError)) return false;
  }
  return error.attempts.length > 0;
}
