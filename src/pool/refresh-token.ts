import { events, statuses } from '../domain/event.ts';
import type { Owner } from '../domain/owner.ts';
import { expiresAt } from '../domain/token.ts';
import type { Grant } from '../domain/refresh-outcome.ts';
import type { Claim, ClaimTable } from '../mysql/claims.ts';
import type { PoolChanges } from '../mysql/pool-changes.ts';
import type { Courier } from '../oauth/courier.ts';
import type { ErrandAnswer } from '../oauth/errand.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Limiter } from '../runtime/limiter.ts';
import type { Logger } from '../runtime/log.ts';
import type { Metrics, RefreshEnd } from '../runtime/metrics.ts';
import type { Attempts } from './attempts.ts';
import type { ClaimReturner } from './give-back.ts';
import type { FailureSettler } from './settle-failure.ts';
import { drainFor, othersLeftMs } from './drain.ts';
import { liveView } from './live-view.ts';
import { ProviderShares } from './provider-shares.ts';
import type { AnswerRedeemer } from './redeem-answer.ts';
import type { RefreshResult } from './refresh-result.ts';
import { jobOf, type RefreshCause, type Subject, type SubjectReader } from './refresh-subject.ts';
import type { Term } from './term.ts';
import type { TokenPublisher } from './token-publisher.ts';
import type { TurnTaking } from './turn-taking.ts';

export interface RefreshParts {
  readonly subjects: SubjectReader;
  readonly claims: ClaimTable;
  readonly changes: PoolChanges;
  readonly courier: Pick<Courier, 'post'>;
  readonly redeemer: AnswerRedeemer;
  readonly failures: FailureSettler;
  readonly returner: ClaimReturner;
  readonly publisher: TokenPublisher;
  readonly attempts: Attempts;
  readonly turns: TurnTaking;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly retryStatuses: readonly number[];
  /** How many refreshes may be at work at once; drains do not count. */
  readonly concurrency: number;
  /** Of the database's connections, those that refreshes may take: the rest is for callers. */
  readonly databaseShare: Limiter;
}

interface Claimed {
  readonly kind: 'claimed';
  readonly subject: Subject;
  readonly claim: Claim;
  /** Epoch ms of the first request that the answer may be one to; undefined where that is the one to come. */
  readonly firstSentAt: number | undefined;
}

/** The rest of its lifetime, ms, at which a token no longer waits for the owner's other refreshes. */
const lastMomentMs = 1000;

/**
 * Replaces a token by a new one of its provider. The order is the guarantee: a request leaves only after a claim was committed,
 * and an answer is durable before anything else is done with it. The loss of the lease never ends an attempt under way.
 */
export class TokenRefresher {
  readonly #parts: RefreshParts;
  readonly #shares: ProviderShares;
  readonly #underWay = new Map<number, Promise<RefreshResult>>();

  constructor(parts: RefreshParts) {
    this.#parts = parts;
    this.#shares = new ProviderShares(parts.concurrency);
  }

  isUnderWay(version: number): boolean {
    return this.#underWay.has(version);
  }

  /** Callers for one token share one refresh. @throws StoreUnavailable where the record cannot be read or no claim could be made */
  async refresh(version: number, ownerDid: number, term: Term, cause: RefreshCause): Promise<RefreshResult> {
    const shared = this.#underWay.get(version);
    if (shared) return shared;
    const refresh = this.#parts.attempts
      .during((attempt) => this.#inTurn(version, ownerDid, term, cause, attempt))
      .finally(() => this.#underWay.delete(version));
    this.#underWay.set(version, refresh);
    return refresh;
  }

  async #inTurn(version: number, ownerDid: number, term: Term, cause: RefreshCause, attempt: string): Promise<RefreshResult> {
    const patienceMs = (): Promise<number> => this.#parts.databaseShare.run(() => this.#patienceMs(version, ownerDid, cause));
    return this.#parts.turns.next(ownerDid, patienceMs, () => this.#refresh(version, ownerDid, term, cause, attempt));
  }

  async #patienceMs(version: number, ownerDid: number, cause: RefreshCause): Promise<number> {
    const subject = await this.#parts.subjects.read(version, ownerDid, cause);
    return subject.kind === 'subject' && cause === 'due' ? expiresAt(subject.token) - this.#parts.clock.now() - lastMomentMs : 0;
  }

  async #refresh(version: number, ownerDid: number, term: Term, cause: RefreshCause, attempt: string): Promise<RefreshResult> {
    const claimed = await this.#parts.databaseShare.run(async () => {
      const subject = await this.#parts.subjects.read(version, ownerDid, cause);
      return subject.kind === 'subject' ? this.#claim(subject, term, cause, attempt) : subject;
    });
    if (claimed.kind !== 'claimed') return claimed;
    return this.#measured(() => this.#carryOut(claimed, term, cause));
  }

  async #carryOut({ subject, claim, firstSentAt }: Claimed, term: Term, cause: RefreshCause): Promise<RefreshResult> {
    const lived = expiresAt(subject.token) > this.#parts.clock.now();
    const { returner } = this.#parts;
    const withdrawn = await this.#releaseToCallers(subject, term, cause);
    if (term.signal.aborted) return returner.giveBack(subject, claim, withdrawn);
    return this.#shares.run(subject.owner.tokenUrl, async () => {
      // The wait for a place may have outlasted the term.
      if (term.signal.aborted) return returner.giveBack(subject, claim, withdrawn);
      const issuedAt = wholeSecond(firstSentAt ?? this.#parts.clock.now());
      const answer = await this.#ask(subject, claim, issuedAt);
      if (answer.kind === 'given_back') return returner.giveBack(subject, claim, withdrawn);
      if (answer.kind !== 'granted') return this.#parts.failures.settle(subject, claim, answer, withdrawn);
      return this.#redeem(subject, claim, { ...answer.grant, issuedAt }, withdrawn && lived);
    });
  }

  async #claim(subject: Subject, term: Term, cause: RefreshCause, attempt: string): Promise<Claimed | RefreshResult> {
    if (!term.isTrusted()) return { kind: 'skipped', reason: 'fenced' };
    const { claims } = this.#parts;
    const { token, owner } = subject;
    const claim: Claim = { version: token.version, ownerDid: owner.did, attempt, epoch: term.epoch };
    const result = cause === 'doubt' ? await claims.claimAgain(token, claim) : await claims.claim(token, claim);
    if (result === 'claimed') return { kind: 'claimed', subject, claim, firstSentAt: await this.#firstSentAt(owner, cause, claim) };
    if (result === 'spent') return this.#buryTwin(subject);
    return { kind: 'skipped', reason: result === 'fenced' ? 'fenced' : 'taken' };
  }

  /** Inside a window of grace a provider may give what it gave to the first request: that token's life began then, whatever `expires_in` says now. */
  async #firstSentAt(owner: Owner, cause: RefreshCause, { attempt }: Claim): Promise<number | undefined> {
    return cause === 'doubt' && owner.providerPolicy === 'grace' ? this.#parts.claims.firstSentAt(attempt) : undefined;
  }

  /** Takes the token from callers, where they have another, and waits until none can still be using it. @returns whether it was taken */
  async #releaseToCallers({ owner, token, siblings }: Subject, term: Term, cause: RefreshCause): Promise<boolean> {
    const { publisher, clock } = this.#parts;
    const drain = drainFor(owner, expiresAt(token) - clock.now(), othersLeftMs(token, siblings, clock.now()));
    if (drain === undefined) return false;
    const wait = cause === 'due' ? drain : 0;
    const view = liveView(owner, token, siblings, clock.now());
    const reachedAll = await publisher.publish(owner.id, { ...view, uc: token.uc + 1, phase: 'withdrawn' });
    if (reachedAll && wait > 0) await clock.sleep(wait, term.signal).catch(() => undefined);
    return true;
  }

  /** Journal, send, keep: the courier's part, which survives the end of this process. */
  async #ask({ owner, token }: Subject, claim: Claim, issuedAt: number): Promise<ErrandAnswer> {
    const { courier, retryStatuses } = this.#parts;
    return courier.post({
      attempt: claim.attempt,
      version: token.version,
      ownerDid: owner.did,
      issuedAt,
      tokenUrl: owner.tokenUrl,
      auth: token.auth,
      refreshToken: token.refreshToken,
      retryStatuses,
    });
  }

  async #redeem({ owner, token, siblings }: Subject, claim: Claim, grant: Grant & { readonly issuedAt: number }, withdrawn: boolean): Promise<RefreshResult> {
    const answer = { ...grant, attempt: claim.attempt, version: token.version, ownerDid: owner.did };
    const result = await this.#parts.redeemer.redeemFor(owner, siblings, answer, withdrawn);
    this.#parts.failures.clientWorks(owner, token);
    if (result.kind === 'superseded') return { kind: 'skipped', reason: 'gone' };
    this.#parts.logger.info({ owner: owner.id, replaced: token.version, version: result.version, epoch: claim.epoch }, 'A token was refreshed');
    return { kind: 'refreshed', version: result.version };
  }

  /** The row holds a refresh token that was presented before, perhaps from a copied row: it must never be sent. */
  async #buryTwin({ owner, token }: Subject): Promise<RefreshResult> {
    this.#parts.logger.error({ owner: owner.id, version: token.version }, 'The refresh token of this row was used before; insert a new token for the owner');
    await this.#parts.changes.end(token, 'dead', { job: jobOf(owner, token), event: events.claim, status: statuses.dead, text: 'its refresh token was used before' });
    return { kind: 'failed', code: 'TPS0020', failure: 'error' };
  }

  async #measured(work: () => Promise<RefreshResult>): Promise<RefreshResult> {
    const { metrics, clock } = this.#parts;
    const begun = clock.monotonic();
    let outcome: RefreshEnd = 'error';
    metrics.refreshBegan();
    try {
      const result = await work();
      outcome = result.kind === 'failed' ? result.failure : result.kind === 'refreshed' ? 'refreshed' : 'not_due';
      return result;
    } finally {
      metrics.refreshEnded(outcome, (clock.monotonic() - begun) / 1000);
    }
  }
}

/** Providers count a token's life in whole seconds (RFC 7519 section 2, NumericDate), so it may end up to a second before it would by our clock. */
function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
