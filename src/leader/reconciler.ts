import { StoreUnavailable } from '../domain/errors.ts';
import type { Token } from '../domain/token.ts';
import type { Database } from '../mysql/connection.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import type { PoolPlanner } from '../pool/pool-planner.ts';
import type { RefreshCause } from '../pool/refresh-subject.ts';
import type { Term } from '../pool/term.ts';
import type { RefreshQueue } from '../queue/refresh-queue.ts';
import type { LivePool } from '../redis/live-pool.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { OrphanSettler } from './orphan-settler.ts';
import type { PendingRedeemer } from './pending-redeemer.ts';
import type { PoolBuilder } from './pool-builder.ts';
import { RecordWatch } from './record-watch.ts';

/** A refresh this much overdue, ms, has no alarm that works. */
const overdueMs = 500;
/** For how long a term begins, ms: its worker may still be connecting, and alarms may ring unheard. */
const beginningMs = 1000;
/** Time between two rounds as a term begins, ms. */
const restAtFirstMs = 25;
const rowsAtOnce = 500;
/** Time between two comparisons of the whole pool with the record, ms. */
const fullComparisonMs = 60_000;
/** The same where Redis was lost in between. */
const comparisonAfterLossMs = 2000;

export interface ReconcilerParts {
  readonly db: Database;
  readonly tokens: TokenTable;
  readonly livePool: LivePool;
  readonly queue: RefreshQueue;
  readonly planner: PoolPlanner;
  readonly builder: PoolBuilder;
  readonly orphans: OrphanSettler;
  readonly pending: PendingRedeemer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly isUnderWay: (version: number) => boolean;
  /** Starts a refresh; it does not wait for its end. */
  readonly startRefresh: (token: Token, cause: RefreshCause) => void;
}

/**
 * Makes record, live pool and jobs agree, whatever came between them. Each round stands by itself and needs no memory of the last:
 * every part may be lost or late, and the next round finds what is left to do.
 */
export class Reconciler {
  readonly #parts: ReconcilerParts;
  readonly #watch: RecordWatch;
  /** The term of the last survey, and when the whole pool was last compared in it, monotonic ms. */
  #surveyed: Term | undefined;
  #comparedAt = -Infinity;
  #lossesSeen = 0;
  #isSealed = false;
  #term: Term | undefined;
  /** When its first round began, monotonic ms. */
  #begunAt = -Infinity;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
    this.#watch = new RecordWatch(parts.clock, parts.logger);
  }

  /**
   * One round of what cannot wait: answers, due tokens, what others left behind. A store that is away ends only the part
   * that needs it; no part waits for it to come back.
   */
  async round(term: Term): Promise<void> {
    const { pending, orphans, clock } = this.#parts;
    if (this.#term !== term) this.#begunAt = clock.monotonic();
    this.#term = term;
    // As a term begins whatever is due: its alarm may have rung where nobody was master any more.
    const overdueByMs = this.#isBeginning() ? 0 : overdueMs;
    await this.#part(term, 'pending', () => pending.redeemAll(term.signal));
    await this.#part(term, 'due', () => this.#watch.over(() => this.#startDue(overdueByMs)));
    await this.#part(term, 'orphans', () => orphans.settleAll());
  }

  /** ms until the next round, of which there is one every `everyMs` but as a term begins. */
  restMs(everyMs: number): number {
    return this.#isBeginning() ? Math.min(restAtFirstMs, everyMs) : everyMs;
  }

  /** One round of what takes as long as the pool is large: to run beside the other rounds, which it must not hold up. */
  async survey(term: Term): Promise<void> {
    if (this.#surveyed !== term) this.#comparedAt = -Infinity;
    this.#surveyed = term;
    await this.#part(term, 'unplanned', () => this.#takeIn(term));
    await this.#part(term, 'compare', () => this.#compare(term));
    await this.#part(term, 'seal', () => this.#seal(term));
    await this.#part(term, 'queue', () => this.#measureQueue());
  }

  async #takeIn(term: Term): Promise<void> {
    const { db, tokens, planner, logger, metrics } = this.#parts;
    for (let taken = rowsAtOnce; taken === rowsAtOnce && !term.signal.aborted; ) {
      taken = await planner.takeIn(await tokens.unplanned(db, rowsAtOnce));
      for (let i = 0; i < taken; i++) metrics.slotReconciled('unplanned');
      if (taken > 0) logger.info({ tokens: taken }, 'Tokens were taken into the pool');
    }
  }

  #isBeginning(): boolean {
    return this.#parts.clock.monotonic() - this.#begunAt < beginningMs;
  }

  async #startDue(overdueByMs: number): Promise<void> {
    const { db, tokens, clock, metrics, isUnderWay, startRefresh } = this.#parts;
    const now = Math.floor(clock.now());
    for (const token of await tokens.due(db, now - overdueByMs, rowsAtOnce)) {
      if (isUnderWay(token.version)) continue;
      if ((token.dueAt ?? now) <= now - overdueMs) metrics.slotReconciled('overdue');
      startRefresh(token, 'due');
    }
  }

  /** At the beginning of a term, after Redis lost the pool or was itself lost for a moment, and now and then. */
  async #compare(term: Term): Promise<void> {
    const { livePool, builder, clock, logger, metrics } = this.#parts;
    const { losses } = livePool;
    const wasLost = losses > this.#lossesSeen;
    const isBuilt = await livePool.isBuilt();
    if (isBuilt && clock.monotonic() - this.#comparedAt < (wasLost ? comparisonAfterLossMs : fullComparisonMs)) return;
    const { entries, shadowed, lacking, ...states } = await builder.build(!isBuilt || wasLost, term.signal);
    metrics.slotsCounted(states);
    const strays = isBuilt ? await builder.sweep(entries, term.signal) : 0;
    if (term.signal.aborted) return;
    await livePool.markBuilt();
    this.#comparedAt = clock.monotonic();
    this.#lossesSeen = losses;
    if (!isBuilt || lacking + strays > 0) logger.info({ tokens: entries.length, lacking, strays, wasEmpty: !isBuilt }, 'The live pool was made the same as the record');
    await builder.supersede(shadowed, term.signal);
  }

  /** Once for a process: its keys do not change. */
  async #seal(term: Term): Promise<void> {
    const { builder, logger } = this.#parts;
    if (this.#isSealed) return;
    const sealed = await builder.seal(term.signal);
    this.#isSealed = !term.signal.aborted;
    if (sealed > 0) logger.info({ tokens: sealed }, 'Tokens that stood in the clear, or under an old key, were sealed');
  }

  async #measureQueue(): Promise<void> {
    const { queue, metrics } = this.#parts;
    metrics.queueMeasured(await queue.counts());
  }

  async #part(term: Term, name: string, work: () => Promise<void>): Promise<void> {
    const isOver = (): boolean => term.signal.aborted;
    if (isOver()) return;
    try {
      await work();
    } catch (error) {
      if (isOver()) return;
      const level = error instanceof StoreUnavailable ? 'debug' : 'error';
      this.#parts.logger[level]({ part: name, error }, 'A part of the reconciliation did not end');
    }
  }
}
