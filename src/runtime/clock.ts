import { setTimeout as delay } from 'node:timers/promises';

/**
 * The cluster's time. `now` follows the database's clock and advances with this machine's monotonic clock,
 * so a wrong or jumping wall clock of one node neither kills nor revives a token.
 */
export interface Clock {
  /** Epoch ms by the database's clock, as last measured. */
  now(): number;
  /** ms that never jump; only differences mean something. */
  monotonic(): number;
  /** 0 (inclusive) to 1 (exclusive). */
  random(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** An answer within this time, ms, is always good enough. */
const leastUncertaintyMs = 20;

export class ClusterClock implements Clock {
  #offset = Date.now() - performance.now();
  #trustedUncertaintyMs = Infinity;

  now(): number {
    return performance.now() + this.#offset;
  }

  monotonic(): number {
    return performance.now();
  }

  random(): number {
    return Math.random();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    try {
      await delay(ms, undefined, signal ? { signal } : {});
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  }

  /**
   * Takes over the database's time, unless the answer took so long that what was known is better:
   * this process may have been paused meanwhile. The bound widens with each answer that is left out.
   * @param remoteNow epoch ms that the database said @param askedAt monotonic ms when it was asked @param answeredAt when it answered
   */
  follow(remoteNow: number, askedAt: number, answeredAt: number): void {
    const uncertaintyMs = answeredAt - askedAt;
    if (uncertaintyMs > this.#trustedUncertaintyMs) {
      this.#trustedUncertaintyMs *= 2;
      return;
    }
    this.#trustedUncertaintyMs = Math.max(leastUncertaintyMs, 2 * uncertaintyMs);
    this.#offset = remoteNow - (askedAt + answeredAt) / 2;
  }

  /** ms by which this machine's wall clock is ahead of the cluster's time. */
  wallClockAhead(): number {
    return Date.now() - this.now();
  }
}
