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
  readonly #sleepers = new WeakMap<AbortSignal, Set<() => void>>();
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
    if (!signal) return delay(ms);
    signal.throwIfAborted();
    const sleepers = this.#sleepersOf(signal);
    await new Promise<void>((resolve, reject) => {
      const wake = (): void => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      };
      const timer = setTimeout(() => {
        sleepers.delete(wake);
        resolve();
      }, ms);
      sleepers.add(wake);
    });
  }

  /** One listener for all who sleep by a signal: a signal looks through all it has for each one more, and thousands drain at once. */
  #sleepersOf(signal: AbortSignal): Set<() => void> {
    const known = this.#sleepers.get(signal);
    if (known) return known;
    const sleepers = new Set<() => void>();
    this.#sleepers.set(signal, sleepers);
    signal.addEventListener('abort', () => { for (const wake of sleepers) wake(); }, { once: true });
    return sleepers;
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
