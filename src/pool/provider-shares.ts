import { Limiter } from '../runtime/limiter.ts';

/**
 * Lets at most `limit` refreshes be at work at once, and of one provider at most three quarters of that:
 * one that does not answer must not let the tokens of the others expire. Knows as many providers as there are token URLs.
 */
export class ProviderShares {
  readonly #all: Limiter;
  readonly #share: number;
  readonly #ofProvider = new Map<string, Limiter>();

  constructor(limit: number) {
    this.#all = new Limiter(limit);
    this.#share = limit - Math.floor(limit / 4);
  }

  async run<T>(tokenUrl: string, work: () => Promise<T>): Promise<T> {
    return this.#shareOf(URL.parse(tokenUrl)?.host ?? tokenUrl).run(() => this.#all.run(work));
  }

  #shareOf(provider: string): Limiter {
    const known = this.#ofProvider.get(provider);
    if (known) return known;
    const share = new Limiter(this.#share);
    this.#ofProvider.set(provider, share);
    return share;
  }
}
