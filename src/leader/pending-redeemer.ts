import { unsealAnswer } from '../journal/kept-answer.ts';
import type { Attempts } from '../pool/attempts.ts';
import type { AnswerRedeemer } from '../pool/redeem-answer.ts';
import type { PendingAnswers } from '../redis/pending.ts';
import type { KeyRing } from '../runtime/key-ring.ts';
import type { Logger } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';

/** Brings answers into the record that another node received and could not record itself. */
export class PendingRedeemer {
  readonly #pending: PendingAnswers;
  readonly #redeemer: AnswerRedeemer;
  readonly #attempts: Attempts;
  readonly #ring: KeyRing;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #unreadable = new Set<string>();

  constructor(pending: PendingAnswers, redeemer: AnswerRedeemer, attempts: Attempts, ring: KeyRing, logger: Logger, metrics: Metrics) {
    this.#pending = pending;
    this.#redeemer = redeemer;
    this.#attempts = attempts;
    this.#ring = ring;
    this.#logger = logger;
    this.#metrics = metrics;
  }

  /** @throws StoreUnavailable */
  async redeemAll(signal: AbortSignal): Promise<void> {
    for (const [attempt, sealed] of Object.entries(await this.#pending.all())) {
      if (!this.#attempts.has(attempt) && !this.#unreadable.has(attempt)) await this.#redeem(attempt, sealed, signal);
    }
  }

  async #redeem(attempt: string, sealed: string, signal: AbortSignal): Promise<void> {
    let answer;
    try {
      answer = unsealAnswer(attempt, sealed, this.#ring);
    } catch (error) {
      this.#unreadable.add(attempt);
      this.#logger.error({ attempt, reason: error instanceof Error ? error.message : '' }, 'A kept answer cannot be read: add its key to sealing.keys and start again');
      return;
    }
    const result = await this.#redeemer.redeem(answer, signal);
    if (result.kind !== 'recorded') return;
    this.#metrics.answerReplayed('redis');
    this.#logger.info({ version: result.version, replaced: answer.version }, 'An answer that another node had received was recorded');
  }
}
