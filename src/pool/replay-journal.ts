import { StoreUnavailable } from '../domain/errors.ts';
import { discardSettled, keptAnswers, keptAttempts } from '../journal/journal-reader.ts';
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

const lookedUpAtOnce = 500;

/** Until the next round, ms. */
const usualPauseMs = 60_000;
/** The same where MySQL was away: soon enough that an answer which is here is recorded before its token is told to be in doubt. */
const pauseAfterFailureMs = 5000;

/** Brings into the record what this machine's journal kept and nobody recorded, and removes journals that are no longer needed. */
export class JournalReplay {
  readonly #parts: ReplayParts;
  #isBehind = false;

  constructor(parts: ReplayParts) {
    this.#parts = parts;
  }

  /** How long to wait for the next round, ms. */
  get pauseMs(): number {
    return this.#isBehind ? pauseAfterFailureMs : usualPauseMs;
  }

  /** Ends after the answer it is at when `signal` aborts: what is left stays in the journal. */
  async replay(signal: AbortSignal): Promise<void> {
    this.#isBehind = true;
    await this.#counted('read', signal, () => this.#recordMissing(signal));
    this.#isBehind = false;
    if (signal.aborted) return;
    await this.#counted('clear', signal, () => discardSettled(this.#parts.folder, async (attempt) => {
      signal.throwIfAborted();
      return this.#isSettled(attempt);
    }));
  }

  /** A database that is away is no failure of the journal. */
  async #counted(operation: 'read' | 'clear', signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted && !(error instanceof StoreUnavailable)) this.#parts.metrics.journalFailed(operation);
      throw error;
    }
  }

  async #recordMissing(signal: AbortSignal): Promise<void> {
    const { folder, ring } = this.#parts;
    const missing = await this.#missing(signal);
    if (missing.size === 0) return;
    for await (const answer of keptAnswers(folder, ring, (attempt) => missing.has(attempt))) {
      if (signal.aborted) return;
      await this.#redeem(answer, signal);
    }
  }

  /** Those attempts with a kept answer that the record still waits for. Nearly all were recorded long ago, so they are looked up many at a time. */
  async #missing(signal: AbortSignal): Promise<Set<string>> {
    const { db, tokens, folder, attempts } = this.#parts;
    const kept: string[] = [];
    for await (const attempt of keptAttempts(folder)) if (!attempts.has(attempt)) kept.push(attempt);
    const missing = new Set<string>();
    for (let start = 0; start < kept.length; start += lookedUpAtOnce) {
      for (const attempt of await tokens.holding(db, kept.slice(start, start + lookedUpAtOnce), signal)) missing.add(attempt);
    }
    return missing;
  }

  /** One that the record refuses stays in the journal and holds up no other. */
  async #redeem(answer: Parameters<AnswerRedeemer['redeem']>[0], signal: AbortSignal): Promise<void> {
    const { redeemer, logger, metrics } = this.#parts;
    try {
      const result = await redeemer.redeem(answer, signal);
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
