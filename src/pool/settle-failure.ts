import { events, statuses, type HistoryEvent } from '../domain/event.ts';
import type { Owner } from '../domain/owner.ts';
import type { KnownFailure, RefreshFailure } from '../domain/refresh-outcome.ts';
import { afterFailure, type NextStep } from '../domain/refresh-policy.ts';
import { CommitUnknown, StoreUnavailable } from '../domain/errors.ts';
import type { Token } from '../domain/token.ts';
import type { Claim, ClaimTable } from '../mysql/claims.ts';
import type { Database } from '../mysql/connection.ts';
import type { OutcomeTable } from '../mysql/outcomes.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import type { PendingAnswers } from '../redis/pending.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { Alarms, Doubt, FailedRefreshReport } from './alarms.ts';
import type { ClientHolds, Refusal } from './client-holds.ts';
import { liveView } from './live-view.ts';
import { once, untilDone, untilStored } from './persist.ts';
import { codeOf, type RefreshResult } from './refresh-result.ts';
import { jobOf, type Subject } from './refresh-subject.ts';
import type { Scheduler } from './scheduler.ts';
import type { TokenPublisher } from './token-publisher.ts';

export interface FailureParts {
  readonly db: Database;
  readonly tokens: TokenTable;
  readonly claims: ClaimTable;
  readonly outcomes: OutcomeTable;
  readonly pending: PendingAnswers;
  readonly publisher: TokenPublisher;
  readonly scheduler: Scheduler;
  readonly holds: ClientHolds;
  readonly alarms: Alarms;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What is to become of a token, and what people are told of it. */
type Verdict = FailedRefreshReport & { readonly failure: KnownFailure; readonly next: NextStep };

const stateAfter = { retry: 'idle', stop: 'stopped', bury: 'dead' } as const;
const statusAfter = { retry: statuses.refreshFailed, stop: statuses.stopped, bury: statuses.dead, doubt: statuses.inDoubt } as const;

/** Decides and writes what becomes of a token after a failed attempt, and tells people. */
export class FailureSettler {
  readonly #parts: FailureParts;
  /** The attempts of this term that heard `invalid_grant`, by their row, while it is still tried. The next master hears it anew: a grant is rather kept too long. */
  readonly #refusals = new Map<number, Set<string>>();
  /** By attempt, what may have been written and was told to nobody: whether it was committed is not known, and who is to have mail is in the database that failed. */
  readonly #untold = new Map<string, Verdict>();

  constructor(parts: FailureParts) {
    this.#parts = parts;
  }

  async settle({ owner, token }: Subject, { attempt }: Claim, failure: RefreshFailure, withdrawn: boolean): Promise<RefreshResult> {
    await (failure.kind === 'in_doubt' ? this.#settleDoubt(owner, token, attempt, failure) : this.#settleKnown(owner, token, attempt, failure));
    if (withdrawn) await this.republish(owner, token.version);
    if (failure.kind !== 'in_doubt') await this.#parts.pending.forget(attempt);
    return { kind: 'failed', code: codeOf(failure), failure: failure.kind };
  }

  /**
   * The same where whoever had sent the request heard of the failure, and may not live to settle it. Whether the client is refused still the
   * next attempt shows: what was heard may be as old as a repair of it.
   * @returns false where the row has moved on @throws StoreUnavailable
   */
  async settleKept(owner: Owner, token: Token, attempt: string, failure: KnownFailure): Promise<boolean> {
    const verdict = this.#judge(owner, token, attempt, failure, token.retryCount + 1);
    const released = await this.#release(verdict, attempt, once).catch((error: unknown) => {
      if (error instanceof CommitUnknown) this.#untold.set(attempt, verdict);
      throw error;
    });
    if (!released) return this.settledBefore(attempt);
    this.#untold.delete(attempt);
    await this.#tell(verdict);
    return true;
  }

  /** Tells people, and callers, of an attempt that may have been settled in a round before which did not know it. @returns false where there was none */
  async settledBefore(attempt: string): Promise<boolean> {
    const verdict = this.#untold.get(attempt);
    if (!verdict) return false;
    this.#untold.delete(attempt);
    await this.#tell(verdict);
    return true;
  }

  /** Marks the attempt as in doubt, and repeats that until the record has it or the signal is aborted. @returns false where its row has moved on, such as by an answer that arrived after all */
  async doubt(owner: Owner, token: Token, attempt: string, failure: RefreshFailure, signal?: AbortSignal): Promise<boolean> {
    const { claims, clock, logger } = this.#parts;
    const event = eventOf(owner, token, { step: 'doubt' }, failure);
    return untilStored(() => claims.markInDoubt(token.version, attempt, event), clock, logger, signal);
  }

  /** At the beginning of a term: a pool may have been restarted meanwhile, and the count begins anew with that. */
  forgetRefusals(): void {
    this.#refusals.clear();
  }

  clientWorks(owner: Owner, token: Token): void {
    this.#parts.holds.release(owner, token);
    this.#refusals.delete(token.version);
  }

  /** Gives a withdrawn token back to callers, unless another attempt has begun meanwhile. */
  async republish(owner: Owner, version: number): Promise<void> {
    const { db, tokens, publisher, clock, logger } = this.#parts;
    try {
      const siblings = await tokens.ofOwner(db, owner.did);
      const token = siblings.find((sibling) => sibling.version === version);
      if (token) await publisher.publish(owner.id, liveView(owner, token, siblings, clock.now()));
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      logger.warn({ owner: owner.id, version }, 'A token goes back to callers later, by the reconciler');
    }
  }

  async #settleDoubt(owner: Owner, token: Token, attempt: string, failure: RefreshFailure): Promise<void> {
    const isMarked = await this.doubt(owner, token, attempt, failure);
    if (isMarked) this.#parts.alarms.refreshFailed({ owner, token, failure, next: { step: 'doubt' }, failures: token.retryCount + 1 });
    else this.#logMovedOn(owner, token, failure);
  }

  async #settleKnown(owner: Owner, token: Token, attempt: string, failure: KnownFailure): Promise<void> {
    const { holds, alarms } = this.#parts;
    const refusal = failure.kind === 'invalid_client' ? holds.refused(owner, token) : undefined;
    const verdict = this.#judge(owner, token, attempt, failure, Math.max(token.retryCount + 1, refusal?.count ?? 0));
    const { next } = verdict;
    if (refusal) holds.hold(owner, token, next.step === 'retry' ? next.atMs : Infinity);
    const released = await this.#release(verdict, attempt);
    // A client that is held here is told of here.
    if (released || refusal) alarms.refreshFailed({ ...verdict, isKnown: isKnown(refusal, next) });
    else this.#logMovedOn(owner, token, failure);
  }

  #logMovedOn(owner: Owner, { version }: Token, { kind }: RefreshFailure): void {
    this.#parts.logger.info({ owner: owner.id, version, failure: kind }, 'A refresh failed, and nothing was left to settle: its token has moved on, or had not been sent');
  }

  /** People, and callers. */
  async #tell(verdict: Verdict): Promise<void> {
    this.#parts.alarms.refreshFailed(verdict);
    await this.republish(verdict.owner, verdict.token.version);
  }

  /** The same for the same attempt, however often it is asked. */
  #judge(owner: Owner, token: Token, attempt: string, failure: KnownFailure, failures: number): Verdict {
    const counts = { failures, refusals: this.#refusalsOf(token, attempt, failure) };
    return { owner, token, failure, failures, next: afterFailure(failure, owner, counts, Math.floor(this.#parts.clock.now())) };
  }

  #refusalsOf({ version, retryCount }: Token, attempt: string, { kind }: RefreshFailure): number {
    // After a restart of the pool it is all new.
    const refusals = new Set(retryCount === 0 ? [] : this.#refusals.get(version));
    if (kind === 'invalid_grant') refusals.add(attempt);
    if (refusals.size > 0) this.#refusals.set(version, refusals);
    else this.#refusals.delete(version);
    return refusals.size;
  }

  async #release({ owner, token, failure, next, failures }: Verdict, attempt: string, signal?: AbortSignal): Promise<boolean> {
    const { outcomes, scheduler, clock, logger } = this.#parts;
    const dueAt = next.step === 'retry' ? Math.ceil(next.atMs) : null;
    const event = eventOf(owner, token, next, failure);
    const release = { version: token.version, ownerDid: owner.did, attempt, state: stateAfter[next.step], retryCount: failures, dueAt, event };
    if (!(await untilDone(() => outcomes.release(release), clock, logger, signal))) return false;
    if (dueAt === null) this.#refusals.delete(token.version);
    else await scheduler.schedule([{ version: token.version, ownerDid: owner.did, dueAt }]);
    return true;
  }
}

/** Whether people were told already, of another owner's token, that the client is refused. */
function isKnown(refusal: Refusal | undefined, next: NextStep): boolean {
  return refusal?.heldUntil === Infinity || (refusal?.heldUntil !== undefined && next.step === 'retry');
}

function eventOf(owner: Owner, token: Token, next: NextStep | Doubt, failure: RefreshFailure): HistoryEvent {
  return { job: jobOf(owner, token), event: events.refresh, status: statusAfter[next.step], text: `${failure.kind}: ${failure.detail}` };
}
