import { dueTime, type DueTimeRules } from '../domain/due-time.ts';
import { StoreUnavailable } from '../domain/errors.ts';
import type { Owner } from '../domain/owner.ts';
import type { DueRefresh, RefreshQueue } from '../queue/refresh-queue.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { drainMs } from './drain.ts';

/** Says when refreshes are due and sets the alarm for them. */
export class Scheduler {
  readonly #queue: RefreshQueue;
  readonly #rules: DueTimeRules;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(queue: RefreshQueue, rules: DueTimeRules, clock: Clock, logger: Logger) {
    this.#queue = queue;
    this.#rules = rules;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** @param drained whether the token leaves the pool before its refresh */
  dueAt(owner: Owner, drained: boolean, issuedAt: number, validityMs: number): number {
    return dueTime(issuedAt, validityMs, drained ? drainMs(owner) : 0, this.#rules, this.#clock.random());
  }

  /** An alarm that could not be set only makes the refresh later: the reconciler finds what is due. */
  async schedule(refreshes: readonly DueRefresh[]): Promise<void> {
    try {
      await this.#queue.schedule(refreshes);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      this.#logger.debug({ refreshes: refreshes.length }, 'Refreshes could not be scheduled in Redis; the reconciler will find them');
    }
  }
}
