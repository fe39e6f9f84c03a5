/** Lets at most `limit` pieces of work run at once; the others wait in the order they came, those that are urgent before the rest. */
export class Limiter {
  #free: number;
  readonly #urgent: (() => void)[] = [];
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  get waiting(): number {
    return this.#urgent.length + this.#waiting.length;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    return this.#run(work, this.#waiting);
  }

  async runUrgently<T>(work: () => Promise<T>): Promise<T> {
    return this.#run(work, this.#urgent);
  }

  async #run<T>(work: () => Promise<T>, queue: (() => void)[]): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => queue.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#urgent.shift() ?? this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
