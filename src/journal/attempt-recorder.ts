import type { Grant, UnusedEnd } from '../domain/refresh-outcome.ts';
import type { KeyRing } from '../runtime/key-ring.ts';
import type { Journal } from './journal.ts';
import { sealPending, writeAnswer, type Attempt, type KeptAnswer } from './kept-answer.ts';
import type { Phase } from './record.ts';

/** Puts a sealed answer, or word that a refresh token was not used, where the other nodes find it. */
export type PutPending = (attempt: string, sealed: string) => Promise<void>;

/** Moves the claim of an attempt on to `sending` in the system of record; false where it is no longer held. */
export type MarkSending = (attempt: Attempt) => Promise<boolean>;

/** Records what happens to attempts: in the journal of this machine, and what the record must hear of in a second place too. */
export class AttemptRecorder {
  readonly #journal: Journal;
  readonly #ring: KeyRing;
  readonly #putPending: PutPending;
  readonly #markSending: MarkSending;

  constructor(journal: Journal, ring: KeyRing, putPending: PutPending, markSending: MarkSending) {
    this.#journal = journal;
    this.#ring = ring;
    this.#putPending = putPending;
    this.#markSending = markSending;
  }

  async mayLeave(attempt: Attempt): Promise<boolean> {
    return this.#markSending(attempt);
  }

  /** That the request is about to leave is on disk when this resolves. */
  async sending(attempt: Attempt): Promise<void> {
    await this.#journal.append(entry('sending', attempt));
  }

  /** One promise a place; each resolves when the answer is durable there. */
  granted(attempt: Attempt, grant: Grant): readonly [journal: Promise<void>, redis: Promise<void>] {
    const answer: KeptAnswer = { ...identityOf(attempt), ...grant };
    const journalled = this.#journal.append({ attempt: answer.attempt, phase: 'granted', payload: writeAnswer(answer) });
    return [journalled, this.#putPending(answer.attempt, sealPending(answer, this.#ring))];
  }

  /**
   * For the next master, where nobody hears of it here any more. In Redis only: from a journal it could be read after the record has
   * forgotten what came later, in a failover or from a backup, and the refresh token has been used since.
   */
  async unused(attempt: Attempt, end: UnusedEnd): Promise<void> {
    await this.#putPending(attempt.attempt, sealPending({ ...identityOf(attempt), end }, this.#ring));
  }

  /** An end without a token: nothing that could be lost, so nobody waits for the disk. */
  async ended(phase: Exclude<Phase, 'sending' | 'granted'>, attempt: Attempt): Promise<void> {
    await this.#journal.note(entry(phase, attempt));
  }
}

/** Without what else an errand has: its secrets among them. */
function identityOf({ attempt, version, ownerDid, issuedAt }: Attempt): Attempt {
  return { attempt, version, ownerDid, issuedAt };
}

function entry(phase: Phase, { attempt, version, ownerDid, issuedAt }: Attempt): { attempt: string; phase: Phase; payload: string } {
  return { attempt, phase, payload: JSON.stringify({ version, ownerDid, issuedAt }) };
}
