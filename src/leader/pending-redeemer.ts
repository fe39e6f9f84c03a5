import { StoreUnavailable } from '../domain/errors.ts';
import { isAnswer, unsealPending, type KeptAnswer, type KeptEnd, type Pending } from '../journal/kept-answer.ts';
import type { Attempts } from '../pool/attempts.ts';
import { once } from '../pool/persist.ts';
import type { AnswerRedeemer } from '../pool/redeem-answer.ts';
import type { EndRedeemer } from '../pool/redeem-end.ts';
import type { PendingAnswers } from '../redis/pending.ts';
import type { KeyRing } from '../runtime/key-ring.ts';
import type { Logger } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';

/** A master that was killed leaves as many as it had refreshes under way, and what is due waits for them. */
const redeemedAtOnce = 5;

/** Brings into the record what another node received and could not record itself: answers, and word that a refresh token was not used. */
export class PendingRedeemer {
  readonly #pending: PendingAnswers;
  readonly #answers: AnswerRedeemer;
  readonly #ends: EndRedeemer;
  readonly #attempts: Attempts;
  readonly #ring: KeyRing;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #unreadable = new Set<string>();
  readonly #refused = new Set<string>();

  constructor(pending: PendingAnswers, answers: AnswerRedeemer, ends: EndRedeemer, attempts: Attempts, ring: KeyRing, logger: Logger, metrics: Metrics) {
    this.#pending = pending;
    this.#answers = answers;
    this.#ends = ends;
    this.#attempts = attempts;
    this.#ring = ring;
    this.#logger = logger;
    this.#metrics = metrics;
  }

  /** @throws StoreUnavailable; what was not recorded is still pending */
  async redeemAll(signal: AbortSignal): Promise<void> {
    const waiting = Object.entries(await this.#pending.all()).filter(([attempt]) => !this.#attempts.has(attempt) && !this.#unreadable.has(attempt));
    const redeemWaiting = async (): Promise<void> => {
      for (let next = waiting.shift(); next && !signal.aborted; next = waiting.shift()) await this.#redeem(this.#read(...next));
    };
    const endAll = (error: unknown): never => {
      waiting.length = 0;
      throw error;
    };
    await Promise.all(Array.from({ length: redeemedAtOnce }, () => redeemWaiting().catch(endAll)));
  }

  #read(attempt: string, sealed: string): Pending | undefined {
    try {
      return unsealPending(attempt, sealed, this.#ring);
    } catch (error) {
      this.#unreadable.add(attempt);
      this.#logger.error({ attempt, reason: error instanceof Error ? error.message : '' }, 'A kept answer cannot be read: add its key to sealing.keys and start again');
      return undefined;
    }
  }

  /** One that the record refuses stays pending, is said once, and holds up no other. */
  async #redeem(pending: Pending | undefined): Promise<void> {
    if (!pending) return;
    try {
      await (isAnswer(pending) ? this.#record(pending) : this.#settle(pending));
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      if (!this.#refused.has(pending.attempt)) this.#logger.error({ attempt: pending.attempt, version: pending.version, error }, 'A kept answer could not be recorded; it is tried again');
      this.#refused.add(pending.attempt);
    }
  }

  async #record(answer: KeptAnswer): Promise<void> {
    const result = await this.#answers.redeem(answer, once);
    if (result.kind !== 'recorded') return;
    this.#metrics.answerReplayed('redis');
    this.#logger.info({ version: result.version, replaced: answer.version }, 'An answer that another node had received was recorded');
  }

  async #settle(kept: KeptEnd): Promise<void> {
    if (!(await this.#ends.redeem(kept))) return;
    this.#metrics.answerReplayed('redis');
    this.#logger.info({ version: kept.version, end: kept.end.kind }, 'An attempt of another node that had not used its refresh token was settled');
  }
}
