import { events, statuses, type HistoryEvent } from '../domain/event.ts';
import type { Owner } from '../domain/owner.ts';
import type { RefreshFailure } from '../domain/refresh-outcome.ts';
import { afterFailure, type NextStep } from '../domain/refresh-policy.ts';
import { StoreUnavailable } from '../domain/errors.ts';
import type { Token } from '../domain/token.ts';
import type { Claim, ClaimTable } from '../mysql/claims.ts';
import type { Database } from '../mysql/connection.ts';
import type { OutcomeTable } from '../mysql/outcomes.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { Alarms } from './alarms.ts';
import type { ClientHolds, Refusal } from './client-holds.ts';
import { liveView } from './live-view.ts';
import { untilStored } from './persist.ts';
import { codeOf, type RefreshResult } from './refresh-result.ts';
import { jobOf, type Subject } from './refresh-subject.ts';
import type { Scheduler } from './scheduler.ts';
import type { TokenPublisher } from './token-publisher.ts';

export interface FailureParts {
  readonly db: Database;
  readonly tokens: TokenTable;
  readonly claims: ClaimTable;
  readonly outcomes: OutcomeTable;
  readonly publisher: TokenPublisher;
  readonly scheduler: Scheduler;
  readonly holds: ClientHolds;
  readonly alarms: Alarms;
  readonly clock: Clock;
  readonly logger: Logger;
}

const stateAfter = { retry: 'idle', stop: 'stopped', bury: 'dead' } as const;
const statusAfter = { retry: statuses.refreshFailed, stop: statuses.stopped, bury: statuses.dead, doubt: statuses.inDoubt } as const;

/** Decides and writes what becomes of a token after a failed attempt, and tells people. */
export class FailureSettler {
  readonly #parts: FailureParts;
  /** How often this node heard `invalid_grant` for a row that is still tried. The next master hears it anew: a grant is rather kept too long. */
  readonly #refusals = new Map<number, number>();

  constructor(parts: FailureParts) {
    this.#parts = parts;
  }

  async settle({ owner, token }: Subject, claim: Claim, failure: RefreshFailure, withdrawn: boolean): Promise<RefreshResult> {
    const refusal = failure.kind === 'invalid_client' ? this.#parts.holds.refused(owner, token) : undefined;
    const failures = Math.max(token.retryCount + 1, refusal?.count ?? 0);
    const next = afterFailure(failure, owner, { failures, refusals: this.#refusalsOf(token, failure) }, Math.floor(this.#parts.clock.now()));
    if (next.step === 'bury' || next.step === 'stop') this.#refusals.delete(token.version);
    if (refusal) this.#parts.holds.hold(owner, token, next.step === 'retry' ? next.atMs : Infinity);
    if (next.step === 'doubt') await this.doubt(owner, token, claim.attempt, failure);
    else await this.#release(owner, token, claim, failures, next, failure);
    this.#parts.alarms.refreshFailed({ owner, token, failure, next, failures, isKnown: isKnown(refusal, next) });
    if (withdrawn) await this.republish(owner, token.version);
    return { kind: 'failed', code: codeOf(failure), failure: failure.kind };
  }

  /** Marks the attempt as in doubt, and repeats that until the record has it or the signal is aborted. @returns false where its row has moved on, such as by an answer that arrived after all */
  async doubt(owner: Owner, token: Token, attempt: string, failure: RefreshFailure, signal?: AbortSignal): Promise<boolean> {
    const { claims, clock, logger } = this.#parts;
    const event = eventOf(owner, token, { step: 'doubt' }, failure);
    return untilStored(() => claims.markInDoubt(token.version, attempt, event), clock, logger, signal);
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

  #refusalsOf({ version, retryCount }: Token, { kind }: RefreshFailure): number {
    // After a restart of the pool it is all new.
    if (retryCount === 0) this.#refusals.delete(version);
    const refusals = (this.#refusals.get(version) ?? 0) + (kind === 'invalid_grant' ? 1 : 0);
    if (refusals > 0) this.#refusals.set(version, refusals);
    return refusals;
  }

  async #release(owner: Owner, token: Token, claim: Claim, failures: number, next: Exclude<NextStep, { step: 'doubt' }>, failure: RefreshFailure): Promise<void> {
    const { outcomes, scheduler, clock, logger } = this.#parts;
    const dueAt = next.step === 'retry' ? Math.ceil(next.atMs) : null;
    const event = eventOf(owner, token, next, failure);
    const release = { version: token.version, ownerDid: owner.did, attempt: claim.attempt, state: stateAfter[next.step], retryCount: failures, dueAt, event };
    await untilStored(() => outcomes.release(release), clock, logger);
    if (dueAt !== null) await scheduler.schedule([{ version: token.version, ownerDid: owner.did, dueAt }]);
  }
}

/** Whether people were told already, of another owner's token, that the client is refused. */
function isKnown(refusal: Refusal | undefined, next: NextStep): boolean {
  return refusal?.heldUntil === Infinity || (refusal?.heldUntil !== undefined && next.step === 'retry');
}

function eventOf(owner: Owner, token: Token, next: NextStep, failure: RefreshFailure): HistoryEvent {
  return { job: jobOf(owner, token), event: events.refresh, status: statusAfter[next.step], text: `${failure.kind}: ${failure.detail}` };
}
