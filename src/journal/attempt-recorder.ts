import type { Grant } from '../domain/refresh-outcome.ts';
import type { KeyRing } from '../runtime/key-ring.ts';
import type { Journal } from './journal.ts';
import { sealAnswer, writeAnswer, type KeptAnswer } from './kept-answer.ts';
import type { Phase } from './record.ts';

/** Which attempt it is, of which row, and since when it is under way. */
export type Attempt = Pick<KeptAnswer, 'attempt' | 'version' | 'ownerDid' | 'issuedAt'>;

/** Puts a sealed answer where the other nodes find it. */
export type PutPending = (attempt: string, sealed: string) => Promise<void>;

/** Moves the claim of an attempt on to `sending` in the system of record; false where it is no longer held. */
export type MarkSending = (attempt: Attempt) => Promise<boolean>;

/** Records what happens to attempts: in the journal of this machine, and granted answers in a second place too. */
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
    const { attempt: id, version, ownerDid, issuedAt } = attempt;
    const answer: KeptAnswer = { attempt: id, version, ownerDid, issuedAt, ...grant };
    const journalled = this.#journal.append({ attempt: id, phase: 'granted', payload: writeAnswer(answer) });
    return [journalled, this.#putPending(id, sealAnswer(answer, this.#ring))];
  }

  /** An end without a token: nothing that could be lost, so nobody waits for the disk. */
  async ended(phase: Exclude<Phase, 'sending' | 'granted'>, attempt: Attempt): Promise<void> {
    await this.#journal.note(entry(phase, attempt));
  }
}

function entry(phase: Phase, { attempt, version, ownerDid, issuedAt }: Attempt): { attempt: string; phase: Phase; payload: string } {
  return { attempt, phase, payload: JSON.stringify({ version, ownerDid, issuedAt }) };
}
