import { StoreUnavailable } from '../domain/errors.ts';
import { unsealAnswer, type KeptAnswer } from '../journal/kept-answer.ts';
import type { Attempts } from '../pool/attempts.ts';
import type { AnswerRedeemer } from '../pool/redeem-answer.ts';
import type { PendingAnswers } from '../redis/pending.ts';
import type { KeyRing } from '../runtime/key-ring.ts';
import type { Logger } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';

/** The next round is the repetition: one that waits for the record would hold up all that comes after it in its round. */
const once = AbortSignal.abort();

/** A master that was killed leaves as many as it had refreshes under way, and what is due waits for them. */
const redeemedAtOnce = 5;

/** Brings answers into the record that another node received and could not record itself. */
export class PendingRedeemer {
  readonly #pending: PendingAnswers;
  readonly #redeemer: AnswerRedeemer;
  readonly #attempts: Attempts;
  readonly #ring: KeyRing;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #unreadable = new Set<string>();
  readonly #refused = new Set<string>();

  constructor(pending: PendingAnswers, redeemer: AnswerRedeemer, attempts: Attempts, ring: KeyRing, logger: Logger, metrics: Metrics) {
    this.#pending = pending;
    this.#redeemer = redeemer;
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

  #read(attempt: string, sealed: string): KeptAnswer | undefined {
    try {
      return unsealAnswer(attempt, sealed, this.#ring);
    } catch (error) {
      this.#unreadable.add(attempt);
      this.#logger.error({ attempt, reason: error instanceof Error ? error.message : '' }, 'A kept answer cannot be read: add its key to sealing.keys and start again');
      return undefined;
    }
  }

  /** One that the record refuses stays pending, is said once, and holds up no other. */
  async #redeem(answer: KeptAnswer | undefined): Promise<void> {
    if (!answer) return;
    try {
      const result = await this.#redeemer.redeem(answer, once);
      if (result.kind !== 'recorded') return;
      this.#metrics.answerReplayed('redis');
      this.#logger.info({ version: result.version, replaced: answer.version }, 'An answer that another node had received was recorded');
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      if (!this.#refused.has(answer.attempt)) this.#logger.error({ attempt: answer.attempt, version: answer.version, error }, 'A kept answer could not be recorded; it is tried again');
      this.#refused.add(answer.attempt);
    }
  }
}
