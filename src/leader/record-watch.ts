import { StoreUnavailable } from '../domain/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';

/** Rounds in a row without the record, and time since the first of them, ms, after which it is away: one may have met a slow moment. */
const toSay = { rounds: 2, ms: 500 };

/** Says once when the record goes away, since nothing can be refreshed then, and when it is back. */
export class RecordWatch {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #failures = 0;
  #since = 0;
  #isSaid = false;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Does what needs the record, and throws what it throws. */
  async over(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof StoreUnavailable && error.store === 'mysql') this.#failed(error);
      throw error;
    }
    this.#answered();
  }

  #failed({ cause }: StoreUnavailable): void {
    if (this.#failures === 0) this.#since = this.#clock.monotonic();
    this.#failures += 1;
    if (this.#isSaid || this.#failures < toSay.rounds || this.#clock.monotonic() - this.#since < toSay.ms) return;
    this.#isSaid = true;
    this.#logger.error({ reason: String(cause) }, 'MySQL does not answer: until it does nothing is refreshed, and tokens that expire are handed out no more');
  }

  #answered(): void {
    const awayMs = this.#clock.monotonic() - this.#since;
    if (this.#isSaid) this.#logger.info({ seconds: Math.round(awayMs / 100) / 10 }, 'MySQL answers again: what is due is refreshed now');
    this.#failures = 0;
    this.#isSaid = false;
  }
}
