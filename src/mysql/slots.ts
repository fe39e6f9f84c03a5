import { setTimeout as delay } from 'node:timers/promises';

/** Why a wait for a slot ended without one. */
export class NoSlot extends Error {
  readonly code = 'NO_FREE_CONNECTION';

  constructor(reason: string) {
    super(reason);
    this.name = 'NoSlot';
  }
}

interface Waiter {
  readonly admit: () => void;
  readonly refuse: (reason: Error) => void;
}

/**
 * At most `limit` connections in use at once, first come first served. The driver's own queue has no deadline, and forgets
 * whoever waits in it when connections are destroyed; nobody waits longer here than said.
 */
export class Slots {
  readonly #limit: number;
  readonly #waiting = new Set<Waiter>();
  #taken = 0;
  #closed = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * @returns gives the slot back; calling it again does nothing
   * @throws NoSlot after `waitMs`, or once closed; the signal's reason when aborted
   */
  async take(waitMs: number, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#closed) throw new NoSlot('closed');
    if (this.#taken < this.#limit) this.#taken += 1;
    else await this.#wait(waitMs, signal);
    let held = true;
    return () => {
      if (held) this.#release();
      held = false;
    };
  }

  /** Admits nobody any more; resolves when all slots are back, or after `waitMs`. */
  async close(waitMs: number): Promise<void> {
    this.#closed = true;
    for (const waiter of this.#waiting) waiter.refuse(new NoSlot('closed'));
    const end = performance.now() + waitMs;
    while (this.#taken > 0 && performance.now() < end) await delay(5);
  }

  #wait(waitMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
        this.#waiting.delete(waiter);
      };
      const refuse = (reason: Error): void => {
        leave();
        reject(reason);
      };
      const admit = (): void => {
        leave();
        resolve();
      };
      const aborted = (): void => refuse(signal?.reason as Error);
      const timer = setTimeout(() => refuse(new NoSlot('all connections are in use')), waitMs);
      const waiter: Waiter = { admit, refuse };
      signal?.addEventListener('abort', aborted);
      this.#waiting.add(waiter);
    });
  }

  /** The slot goes to whoever waits longest; only without one it becomes free. */
  #release(): void {
    const [next] = this.#waiting;
    if (next) next.admit();
    else this.#taken -= 1;
  }
}
