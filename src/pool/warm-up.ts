import { StoreUnavailable } from '../domain/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { Repeating, type Service } from '../runtime/lifecycle.ts';
import type { Logger } from '../runtime/log.ts';
import type { NearCache } from './near-cache.ts';
import type { PoolRecord } from './pool-record.ts';

/** Times in ms. */
export interface WarmUpTiming {
  /** Nodes that miss something at the same time do not all read the record at once. */
  readonly spreadMs: number;
  /** Least time between two readings of the whole record; at least twenty times as long as it took, too. */
  readonly pauseMs: number;
}

const usualTiming: WarmUpTiming = { spreadMs: 5000, pauseMs: 10_000 };
const shareOfTime = 20;
const lookEveryMs = 500;
const retryEveryMs = 500;

export interface WarmUpParts {
  readonly record: Pick<PoolRecord, 'read'>;
  readonly cache: NearCache;
  readonly feedHealthy: () => boolean;
  /** How long the start waits for the record, ms, once the database has answered. */
  readonly patienceMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timing?: WarmUpTiming;
}

/**
 * Fills the near-cache before the node takes load, and again when the feed missed something, so that this node can serve every owner
 * even if all stores go away: whether or not it was asked for that owner lately.
 */
export class WarmUp implements Service {
  readonly name = 'warm-up';
  readonly #parts: WarmUpParts;
  readonly #timing: WarmUpTiming;
  readonly #again: Repeating;
  #isWarm = false;
  #failure: StoreUnavailable | undefined;
  #isComplete = false;
  #nextAt = -Infinity;

  constructor(parts: WarmUpParts) {
    this.#parts = parts;
    this.#timing = parts.timing ?? usualTiming;
    this.#again = new Repeating(this.name, () => lookEveryMs, (signal) => this.#look(signal), (error) => parts.logger.error({ error }, 'The near-cache could not be warmed'));
  }

  /** A node that knows nothing yet must not answer for one that does. @throws StoreUnavailable where the record did not answer all that time */
  async start(): Promise<void> {
    const { clock, patienceMs } = this.#parts;
    const until = clock.monotonic() + patienceMs;
    for (await this.#fill(); !this.#isWarm; await this.#fill()) {
      if (this.#failure && clock.monotonic() >= until) throw this.#failure;
      await clock.sleep(retryEveryMs);
    }
    await this.#again.start();
  }

  async stop(): Promise<void> {
    await this.#again.stop();
  }

  /** The feed may have missed something. */
  missed(): void {
    const { clock } = this.#parts;
    if (this.#isComplete) this.#nextAt = Math.max(this.#nextAt, clock.monotonic() + clock.random() * this.#timing.spreadMs);
    this.#isComplete = false;
  }

  async #look(signal: AbortSignal): Promise<void> {
    if (!this.#parts.feedHealthy()) this.missed();
    if (!this.#isComplete && this.#parts.clock.monotonic() >= this.#nextAt) await this.#fill(signal);
  }

  async #fill(signal?: AbortSignal): Promise<void> {
    const { record, cache, clock, logger } = this.#parts;
    const begunAt = clock.monotonic();
    this.#isComplete = true;
    try {
      const { entries } = await record.read(signal);
      // As news: what a look-up said of an owner meanwhile is trusted for as long as before.
      for (const { ownerId, token } of entries) cache.hear(ownerId, token);
      logger[this.#isWarm ? 'debug' : 'info']({ tokens: entries.length }, 'The near-cache is warm');
      this.#isWarm = true;
    } catch (error) {
      this.#isComplete = false;
      if (!(error instanceof StoreUnavailable)) throw error;
      logger[this.#isWarm || this.#failure ? 'debug' : 'warn']({}, 'The near-cache cannot be warmed: the record does not answer');
      this.#failure = error;
    }
    const tookMs = clock.monotonic() - begunAt;
    this.#nextAt = Math.max(this.#nextAt, begunAt + Math.max(this.#timing.pauseMs, shareOfTime * tookMs));
  }
}
