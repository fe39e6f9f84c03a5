import { dueAgain } from '../domain/due-time.ts';
import { events, statuses } from '../domain/event.ts';
import type { Owner } from '../domain/owner.ts';
import type { Token } from '../domain/token.ts';
import { isRepeated, type Claim } from '../mysql/claims.ts';
import type { Database } from '../mysql/connection.ts';
import type { OutcomeTable, Release } from '../mysql/outcomes.ts';
import type { PendingAnswers } from '../redis/pending.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { liveView } from './live-view.ts';
import { untilStored } from './persist.ts';
import type { RefreshResult } from './refresh-result.ts';
import { jobOf, type Subject } from './refresh-subject.ts';
import type { FailureSettler } from './settle-failure.ts';
import type { TokenPublisher } from './token-publisher.ts';

export interface GiveBackParts {
  readonly db: Database;
  readonly outcomes: OutcomeTable;
  readonly pending: PendingAnswers;
  readonly publisher: TokenPublisher;
  readonly failures: FailureSettler;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How long callers are left without a token that was given back, ms, for MySQL to say so. */
const callersWaitMs = 300;

/** Gives back claims by which nothing was sent and nothing will be: the row becomes idle again, its refresh token presentable. */
export class ClaimReturner {
  readonly #parts: GiveBackParts;

  constructor(parts: GiveBackParts) {
    this.#parts = parts;
  }

  /** Repeats until the record has it. Where MySQL is away callers have a token that was withdrawn before that. */
  async giveBack({ owner, token, siblings }: Subject, { attempt }: Claim, withdrawn: boolean): Promise<RefreshResult> {
    const { outcomes, pending, publisher, clock, logger, failures } = this.#parts;
    logger.warn({ owner: owner.id, version: token.version }, 'A claim is given back unsent; whoever is master tries again');
    const release = this.#releaseOf(owner, token, attempt);
    const stored = untilStored(() => outcomes.release(release), clock, logger);
    if (withdrawn && !(await endsWithin(stored, callersWaitMs, clock))) {
      await publisher.publish(owner.id, { ...liveView(owner, token, siblings, clock.now()), uc: token.uc + 1, phase: 'given_back' });
    }
    await stored;
    if (withdrawn) await failures.republish(owner, token.version);
    await pending.forget(attempt);
    return { kind: 'skipped', reason: 'given_back' };
  }

  /**
   * The same where the courier gave it back and the service, whose claim it is, may not live to write it down. A token that had been sent
   * before that attempt too is left to whoever settles doubts.
   * @returns false where there is nothing to give back @throws StoreUnavailable
   */
  async giveBackKept(owner: Owner, token: Token, attempt: string): Promise<boolean> {
    const { db, outcomes, failures } = this.#parts;
    if ((await isRepeated(db, token.version, attempt)) || !(await outcomes.release(this.#releaseOf(owner, token, attempt)))) return false;
    await failures.republish(owner, token.version);
    return true;
  }

  #releaseOf(owner: Owner, token: Token, attempt: string): Release {
    const { version, retryCount } = token;
    const event = { job: jobOf(owner, token), event: events.claim, status: statuses.released, text: 'the claim was given back; nothing was sent' };
    return { version, ownerDid: owner.did, attempt, state: 'idle', retryCount, dueAt: dueAgain(token.dueAt, this.#parts.clock.now()), event, isUnsent: true };
  }
}

async function endsWithin(work: Promise<unknown>, ms: number, clock: Clock): Promise<boolean> {
  return Promise.race([work.then(() => true), clock.sleep(ms).then(() => false)]);
}
