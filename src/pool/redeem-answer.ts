import { withdrawsDuringRefresh, type Owner } from '../domain/owner.ts';
import { lapseOf, type Lapse } from '../domain/lapse.ts';
import type { KeptAnswer } from '../journal/kept-answer.ts';
import type { Database } from '../mysql/connection.ts';
import type { OutcomeTable, RecordResult } from '../mysql/outcomes.ts';
import { readOwnerPool, type OwnerPool } from '../mysql/owner-pool.ts';
import type { OwnerTable } from '../mysql/owners.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import type { PendingAnswers } from '../redis/pending.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Limiter } from '../runtime/limiter.ts';
import type { Logger } from '../runtime/log.ts';
import { lapseEvent, type LapseReporter } from './lapse-reporter.ts';
import { untilStored } from './persist.ts';
import type { Token } from '../domain/token.ts';
import type { Scheduler } from './scheduler.ts';
import type { TokenPublisher } from './token-publisher.ts';

/** A new token as it stands in the record. */
type Standing = Omit<Extract<RecordResult, { kind: 'recorded' }>, 'kind'>;

export interface RedeemParts {
  readonly db: Database;
  readonly owners: OwnerTable;
  readonly tokens: TokenTable;
  readonly outcomes: OutcomeTable;
  readonly pending: PendingAnswers;
  readonly publisher: TokenPublisher;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly databaseShare: Limiter;
  readonly lapses: Pick<LapseReporter, 'report'>;
  /** For providers that send no lifetime, ms; undefined keeps that of the token before. */
  readonly defaultLifetimeMs: number | undefined;
}

/**
 * Turns a provider's answer into the owner's new token: record, publish, schedule the next refresh.
 * Guarded by the attempt id alone, so it may be done by any node, at any time, and more than once.
 */
export class AnswerRedeemer {
  readonly #parts: RedeemParts;

  constructor(parts: RedeemParts) {
    this.#parts = parts;
  }

  /** Repeats until the record has it. @throws the signal's reason when aborted; the answer is then still kept */
  async redeem(answer: KeptAnswer, signal?: AbortSignal): Promise<RecordResult> {
    const { db, owners, tokens, clock, logger, databaseShare } = this.#parts;
    const read = (): Promise<OwnerPool> => databaseShare.runUrgently(() => readOwnerPool(db, owners, tokens, answer.ownerDid));
    const { owner, siblings } = await untilStored(read, clock, logger, signal);
    return this.redeemFor(owner, siblings, answer, false, signal);
  }

  /**
   * The same, where the owner and its tokens were read just now.
   * @param withdrawn whether the token that is replaced was taken from callers, while it lived, for its refresh
   */
  async redeemFor(owner: Owner | undefined, siblings: readonly Token[], answer: KeptAnswer, withdrawn: boolean, signal?: AbortSignal): Promise<RecordResult> {
    const { clock, logger, databaseShare } = this.#parts;
    const parent = siblings.find((sibling) => sibling.version === answer.version);
    const record = async (): Promise<[RecordResult, Lapse | undefined]> => {
      const lapse = parent && lapseOf(parent, withdrawn, clock.now());
      return [await this.#record(answer, owner, siblings, lapse), lapse];
    };
    const [result, lapse] = await untilStored(() => databaseShare.runUrgently(record), clock, logger, signal);
    const standing = standingOf(result);
    if (standing && owner && parent) await this.#publish(owner, parent, answer, standing);
    if (result.kind === 'recorded' && owner && parent && lapse) this.#parts.lapses.report({ owner, token: parent, lapse });
    await this.#parts.pending.forget(answer.attempt);
    return result;
  }

  async #record(answer: KeptAnswer, owner: Owner | undefined, siblings: readonly Token[], lapse: Lapse | undefined): Promise<RecordResult> {
    const { outcomes, scheduler } = this.#parts;
    const drained = owner !== undefined && withdrawsDuringRefresh(owner, siblings.length > 1);
    const dueAt = (validityMs: number): number =>
      owner ? scheduler.dueAt(owner, drained, answer.issuedAt, validityMs) : answer.issuedAt + validityMs / 2;
    const validityMs = answer.validityMs ?? this.#parts.defaultLifetimeMs ?? null;
    const job = `owner:${owner?.id ?? answer.ownerDid} token:${answer.version}`;
    return outcomes.record({ ...answer, validityMs, dueAt }, job, lapse ? [lapseEvent(job, answer.version, lapse)] : []);
  }

  async #publish(owner: Owner, parent: Token, answer: KeptAnswer, { version, validityMs, dueAt }: Standing): Promise<void> {
    const accessToken = answer.accessToken.reveal();
    await this.#parts.publisher.publish(owner.id, { slot: parent.slot, version, uc: 0, phase: 'ready', expiresAt: answer.issuedAt + validityMs, accessToken });
    await this.#parts.scheduler.schedule([{ version, ownerDid: owner.did, dueAt }]);
  }
}

/** Also of one that was recorded before: whoever did may not have lived, or not have known, to publish it. */
function standingOf(result: RecordResult): Standing | undefined {
  if (result.kind === 'recorded') return result;
  return result.kind === 'known' && result.standing ? { version: result.version, ...result.standing } : undefined;
}
