import { discardSettled, keptAnswers } from '../journal/journal-reader.ts';
import type { Database } from '../mysql/connection.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import type { KeyRing } from '../runtime/key-ring.ts';
import type { Logger } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { Attempts } from './attempts.ts';
import type { AnswerRedeemer } from './redeem-answer.ts';

export interface ReplayParts {
  readonly folder: string;
  readonly ring: KeyRing;
  readonly redeemer: AnswerRedeemer;
  readonly attempts: Attempts;
  readonly db: Database;
  readonly tokens: TokenTable;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Brings into the record what this machine's journal kept and nobody recorded, and removes journals that are no longer needed. */
export class JournalReplay {
  readonly #parts: ReplayParts;
  readonly #done = new Set<string>();

  constructor(parts: ReplayParts) {
    this.#parts = parts;
  }

  async replay(signal: AbortSignal): Promise<void> {
    const { folder, ring, attempts } = this.#parts;
    const seen = new Set<string>();
    const isWanted = (attempt: string): boolean => {
      seen.add(attempt);
      return !this.#done.has(attempt) && !attempts.has(attempt);
    };
    for await (const answer of keptAnswers(folder, ring, isWanted)) await this.#redeem(answer, signal);
    for (const attempt of this.#done) if (!seen.has(attempt)) this.#done.delete(attempt);
    await discardSettled(folder, (attempt) => this.#isSettled(attempt));
  }

  /** One that the record refuses stays in the journal and holds up no other. */
  async #redeem(answer: Parameters<AnswerRedeemer['redeem']>[0], signal: AbortSignal): Promise<void> {
    const { redeemer, logger, metrics } = this.#parts;
    try {
      const result = await redeemer.redeem(answer, signal);
      this.#done.add(answer.attempt);
      if (result.kind !== 'recorded') return;
      metrics.answerReplayed('journal');
      logger.info({ version: result.version, replaced: answer.version }, 'An answer was recorded from the journal');
    } catch (error) {
      if (signal.aborted) throw error;
      logger.error({ attempt: answer.attempt, version: answer.version, error }, 'An answer of the journal could not be recorded; it is tried again');
    }
  }

  async #isSettled(attempt: string): Promise<boolean> {
    return !(await this.#parts.tokens.isInAttempt(this.#parts.db, attempt));
  }
}
