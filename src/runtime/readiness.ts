import { setTimeout as delay } from 'node:timers/promises';

import type { Service } from './lifecycle.ts';

/**
 * Whether load may be sent to this process. When it stops it says no first, and goes on answering: balancers look only now and then,
 * and load comes until all of them have looked.
 */
export class Readiness implements Service {
  readonly name = 'readiness';
  readonly #noticedAfterMs: number;
  readonly #hurry = new AbortController();
  #answer: { readonly ready: boolean; readonly reason?: string } = { ready: false, reason: 'the service is starting' };
  #endedAt = -Infinity;

  /** @param noticedAfterMs how long it may take until nobody sends load any more */
  constructor(noticedAfterMs: number) {
    this.#noticedAfterMs = noticedAfterMs;
  }

  get answer(): { readonly ready: boolean; readonly reason?: string } {
    return this.#answer;
  }

  async start(): Promise<void> {
    this.#answer = { ready: true };
  }

  async stop(): Promise<void> {
    if (!this.#answer.ready) return;
    this.#answer = { ready: false, reason: 'the service is stopping' };
    this.#endedAt = performance.now();
  }

  /** Resolves when the time for that is over, counted from the stop, or somebody is in a hurry. */
  async untilNoticed(): Promise<void> {
    const leftMs = this.#endedAt + this.#noticedAfterMs - performance.now();
    if (leftMs > 0) await delay(leftMs, undefined, { signal: this.#hurry.signal }).catch(() => undefined);
  }

  /** Nobody is waited for, now or later. */
  hurry(): void {
    this.#hurry.abort();
  }
}
