import { StoreUnavailable } from '../domain/errors.ts';
import { events, statuses, type HistoryEvent } from '../domain/event.ts';
import { isKnownToFail, type Lapse } from '../domain/lapse.ts';
import type { Owner } from '../domain/owner.ts';
import type { Token } from '../domain/token.ts';
import { tokensLapsed, type LapsedMail } from '../mail/messages.ts';
import type { Notifier } from '../mail/notifier.ts';
import type { Database } from '../mysql/connection.ts';
import { recipientsOfAll } from '../mysql/recipients.ts';
import type { Service } from '../runtime/lifecycle.ts';
import type { Logger } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';

export interface LapsedToken {
  readonly owner: Owner;
  readonly token: Token;
  readonly lapse: Lapse;
}

interface Gathered extends LapsedMail {
  readonly ownerDid: number;
}

/** Times in ms. */
export interface LapseTiming {
  /** A mail leaves when no further lapse was reported for this long. */
  readonly quietMs: number;
  /** Or this long after the first of them. */
  readonly patienceMs: number;
  /** Least time between two mails. */
  readonly pauseMs: number;
}

const usualTiming: LapseTiming = { quietMs: 5000, patienceMs: 15_000, pauseMs: 60_000 };

export interface LapseParts {
  readonly db: Database;
  readonly notifier: Pick<Notifier, 'notify'>;
  readonly metrics: Pick<Metrics, 'tokenLapsed'>;
  readonly logger: Logger;
  readonly timing?: LapseTiming;
}

/**
 * Tells people of tokens that expired before they were replaced, when they are: each is counted and logged, and those that come together,
 * such as after an outage, make one mail for all whom they concern. Who knows already that the refresh of a token fails gets no mail of it.
 */
export class LapseReporter implements Service {
  readonly name = 'lapse reporter';
  readonly #parts: LapseParts;
  readonly #timing: LapseTiming;
  readonly #gathered: Gathered[] = [];
  #firstAt = 0;
  #mailedAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: LapseParts) {
    this.#parts = parts;
    this.#timing = parts.timing ?? usualTiming;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  /** Mails what is gathered. */
  async stop(): Promise<void> {
    await this.#mail();
    clearTimeout(this.#timer);
  }

  report({ owner, token, lapse }: LapsedToken): void {
    this.#parts.metrics.tokenLapsed();
    this.#parts.logger.error({ owner: owner.id, version: token.version, from: new Date(lapse.from).toISOString(), seconds: secondsOf(lapse) }, 'A token expired before it was replaced');
    if (isKnownToFail(token)) return;
    const gathered = { ownerDid: owner.did, ownerId: owner.id, version: token.version, ...lapse };
    if (this.#gathered.push(gathered) === 1) this.#firstAt = performance.now();
    this.#mailLater();
  }

  #mailLater(): void {
    const { quietMs, patienceMs, pauseMs } = this.#timing;
    const now = performance.now();
    const at = Math.max(Math.min(now + quietMs, this.#firstAt + patienceMs), this.#mailedAt + pauseMs);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#mail(), Math.max(0, at - now)).unref();
  }

  /** What cannot be mailed because MySQL is away again is mailed with the next. */
  async #mail(): Promise<void> {
    const { db, notifier, logger } = this.#parts;
    const gathered = this.#gathered.splice(0);
    if (gathered.length === 0) return;
    this.#mailedAt = performance.now();
    try {
      const recipients = await recipientsOfAll(db, [...new Set(gathered.map(({ ownerDid }) => ownerDid))]);
      for (const { to, lapsed } of byRecipients(gathered, recipients)) notifier.notify({ to, ...tokensLapsed(lapsed) });
    } catch (error) {
      logger.warn({ tokens: gathered.length, reason: String(error) }, 'Whom to tell of expired tokens could not be read');
      if (!(error instanceof StoreUnavailable)) return;
      this.#gathered.unshift(...gathered);
      this.#mailLater();
    }
  }
}

/** What the history says of it. */
export function lapseEvent(job: string, version: number, lapse: Lapse): HistoryEvent {
  const text = `token ${version} had expired at ${new Date(lapse.from).toISOString()}, ${secondsOf(lapse)} s before it was replaced`;
  return { job, event: events.refresh, status: statuses.lapsed, text };
}

/** One mail for all owners whose mails go to the same people. */
function byRecipients(gathered: readonly Gathered[], recipients: ReadonlyMap<number, readonly string[]>): { to: readonly string[]; lapsed: LapsedMail[] }[] {
  const groups = Map.groupBy(gathered, ({ ownerDid }) => JSON.stringify(recipients.get(ownerDid) ?? []));
  return [...groups].map(([to, lapsed]) => ({ to: JSON.parse(to) as string[], lapsed }));
}

function secondsOf({ from, until }: Lapse): number {
  return Math.round((until - from) / 100) / 10;
}
