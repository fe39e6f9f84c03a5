import { randomBytes } from 'node:crypto';

/**
 * The attempts that this process has under way. An attempt is entered before its claim is asked for and taken out when its row has moved on,
 * so whatever claim of this node is not in here has no one behind it.
 */
export class Attempts {
  readonly #live = new Set<string>();
  readonly #idle: (() => void)[] = [];

  get size(): number {
    return this.#live.size;
  }

  has(attempt: string): boolean {
    return this.#live.has(attempt);
  }

  async during<T>(work: (attempt: string) => Promise<T>): Promise<T> {
    const attempt = randomBytes(16).toString('hex');
    this.#live.add(attempt);
    try {
      return await work(attempt);
    } finally {
      this.#live.delete(attempt);
      if (this.#live.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  /** Resolves when nothing is under way. */
  async ended(): Promise<void> {
    if (this.#live.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }
}
