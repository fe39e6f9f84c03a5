import { dueAgain } from '../domain/due-time.ts';
import { settlement } from '../domain/refresh-policy.ts';
import { CommitUnknown } from '../domain/errors.ts';
import type { RefreshFailure } from '../domain/refresh-outcome.ts';
import type { Owner } from '../domain/owner.ts';
import type { Token } from '../domain/token.ts';
import type { ClaimTable } from '../mysql/claims.ts';
import type { Database } from '../mysql/connection.ts';
import type { OwnerTable } from '../mysql/owners.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import type { Alarms } from '../pool/alarms.ts';
import type { Attempts } from '../pool/attempts.ts';
import { once } from '../pool/persist.ts';
import type { RefreshCause } from '../pool/refresh-subject.ts';
import type { FailureSettler } from '../pool/settle-failure.ts';
import type { Clock } from '../runtime/clock.ts';
import { Limiter } from '../runtime/limiter.ts';
import type { Logger } from '../runtime/log.ts';

const rowsAtOnce = 500;
const settledAtOnce = 3;

const lostAnswer: RefreshFailure = { kind: 'in_doubt', status: null, detail: 'the node that sent the request ended before its answer was recorded' };

export interface OrphanParts {
  readonly db: Database;
  readonly owners: OwnerTable;
  readonly tokens: TokenTable;
  readonly claims: ClaimTable;
  readonly attempts: Attempts;
  readonly failures: FailureSettler;
  readonly alarms: Alarms;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The longest time between the marking of a request as sent and the end of it, ms. */
  readonly longestRequestMs: number;
  /** Starts a refresh; it does not wait for its end. */
  readonly startRefresh: (token: Token, cause: RefreshCause) => void;
}

/** Settles attempts that nobody in this process stands behind: left by another node, or by a crash. */
export class OrphanSettler {
  readonly #parts: OrphanParts;
  /** By attempt, what may have been marked as in doubt, and of which nobody was told: the commit was in doubt itself. */
  readonly #untold = new Map<string, { readonly owner: Owner; readonly token: Token }>();

  constructor(parts: OrphanParts) {
    this.#parts = parts;
  }

  async settleAll(): Promise<void> {
    const { db, tokens, attempts } = this.#parts;
    for (const [attempt, { owner, token }] of this.#untold) await this.#doubt(owner, token, attempt);
    const left = [...(await tokens.underWay(db, rowsAtOnce)), ...(await tokens.inDoubt(db, rowsAtOnce))];
    const orphans = left.filter((token) => token.attempt !== null && !attempts.has(token.attempt));
    const share = new Limiter(settledAtOnce);
    await Promise.all(orphans.map((orphan) => share.run(() => this.#settle(orphan))));
  }

  async #settle(token: Token): Promise<void> {
    const owner = await this.#parts.owners.byDid(this.#parts.db, token.ownerDid);
    if (!owner) return;
    if (token.state === 'claimed') return this.#takeBack(owner, token);
    const ageMs = this.#parts.clock.now() - (token.stateSince ?? 0);
    if (settlement(owner.providerPolicy, owner.graceMs, ageMs) === 'ask_again') this.#askAgain(owner, token, ageMs);
    if (token.state === 'sending' && ageMs > this.#parts.longestRequestMs) await this.#doubt(owner, token, token.attempt ?? '');
  }

  async #takeBack(owner: Owner, token: Token): Promise<void> {
    const { claims, clock, failures, logger, startRefresh } = this.#parts;
    if (!(await claims.takeBack(token, dueAgain(token.dueAt, clock.now())))) return;
    await failures.republish(owner, token.version);
    logger.info({ owner: owner.id, version: token.version }, 'A claim that nobody had used was taken back');
    startRefresh(token, 'due');
  }

  /** Not before the first request must have ended, unless a window of grace would close meanwhile. */
  #askAgain(owner: Owner, token: Token, ageMs: number): void {
    const { longestRequestMs, logger, startRefresh } = this.#parts;
    const patienceMs = owner.providerPolicy === 'grace' ? Math.min(longestRequestMs, owner.graceMs / 2) : longestRequestMs;
    if (ageMs < (token.state === 'in_doubt' ? Math.min(patienceMs, owner.retryDelayMs) : patienceMs)) return;
    logger.warn({ owner: owner.id, version: token.version, policy: owner.providerPolicy }, 'The provider is asked again for a token in doubt');
    startRefresh(token, 'doubt');
  }

  async #doubt(owner: Owner, token: Token, attempt: string): Promise<void> {
    const { failures, alarms } = this.#parts;
    const isMarked = await failures.doubt(owner, token, attempt, lostAnswer, once).catch((error: unknown) => {
      if (error instanceof CommitUnknown) this.#untold.set(attempt, { owner, token });
      throw error;
    });
    this.#untold.delete(attempt);
    if (!isMarked) return;
    alarms.refreshFailed({ owner, token, failure: lostAnswer, next: { step: 'doubt' }, failures: token.retryCount + 1 });
    await failures.republish(owner, token.version);
  }
}
