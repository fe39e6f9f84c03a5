import { events, statuses } from '../domain/event.ts';
import { ServiceError } from '../domain/errors.ts';
import type { Owner } from '../domain/owner.ts';
import type { Secret } from '../domain/secret.ts';
import type { Token } from '../domain/token.ts';
import type { Database } from '../mysql/connection.ts';
import { readOwnerPool } from '../mysql/owner-pool.ts';
import type { OwnerTable } from '../mysql/owners.ts';
import type { PoolChanges } from '../mysql/pool-changes.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import { refreshRequest } from '../oauth/refresh-request.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { ClientHolds } from './client-holds.ts';
import type { RefreshResult, SkipReason } from './refresh-result.ts';
import type { Scheduler } from './scheduler.ts';

/** What starts a refresh: its time has come, somebody demands it now, or a token in doubt may be asked for again. */
export type RefreshCause = 'due' | 'demand' | 'doubt';

/** A token that can be refreshed now. */
export interface Subject {
  readonly kind: 'subject';
  readonly owner: Owner;
  readonly token: Token & { readonly refreshToken: Secret };
  readonly siblings: readonly Token[];
}

/** An alarm that rings this much too early, ms, is still in time. */
const earlyMs = 1000;
/** Held tokens of one client are spread over this time, ms, when the hold ends. */
const holdSpreadMs = 1000;

export interface SubjectParts {
  readonly db: Database;
  readonly owners: OwnerTable;
  readonly tokens: TokenTable;
  readonly changes: PoolChanges;
  readonly holds: ClientHolds;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Reads the token and says whether it can be refreshed now. */
export class SubjectReader {
  readonly #parts: SubjectParts;

  constructor(parts: SubjectParts) {
    this.#parts = parts;
  }

  async read(version: number, ownerDid: number, cause: RefreshCause): Promise<Subject | RefreshResult> {
    const { db, owners, tokens } = this.#parts;
    const { owner, siblings } = await readOwnerPool(db, owners, tokens, ownerDid);
    const token = siblings.find((sibling) => sibling.version === version);
    if (!owner || !token) return skipped('gone');
    const obstacle = this.#obstacle(token, cause);
    if (obstacle) return skipped(obstacle);
    return (await this.#waitForClient(owner, token)) ?? this.#usable(owner, token, siblings);
  }

  #obstacle(token: Token, cause: RefreshCause): SkipReason | undefined {
    if (cause === 'doubt') return token.state === 'in_doubt' || token.state === 'sending' ? undefined : 'taken';
    if (token.state !== 'idle') return token.state;
    const planned = token.dueAt ?? 0;
    return cause === 'due' && planned > this.#parts.clock.now() + earlyMs ? 'not_due' : undefined;
  }

  async #waitForClient(owner: Owner, token: Token): Promise<RefreshResult | undefined> {
    const { db, tokens, changes, holds, scheduler, clock } = this.#parts;
    const until = holds.admit(owner, token);
    if (until === undefined) return undefined;
    if (until === Infinity) {
      await changes.end(token, 'stopped', { job: jobOf(owner, token), event: events.refresh, status: statuses.stopped, text: 'the credentials of its client are refused; restart the pool when they are right' });
      return skipped('stopped');
    }
    const dueAt = Math.ceil(until + clock.random() * holdSpreadMs);
    await tokens.plan(db, [{ version: token.version, dueAt }]);
    await scheduler.schedule([{ version: token.version, ownerDid: owner.did, dueAt }]);
    return skipped('held');
  }

  /** A row that can make no request is stopped: no retry would help it. */
  async #usable(owner: Owner, token: Token, siblings: readonly Token[]): Promise<Subject | RefreshResult> {
    const { changes, logger } = this.#parts;
    try {
      const { refreshToken } = token;
      if (refreshToken === null) throw new ServiceError('TPS0015');
      refreshRequest({ tokenUrl: owner.tokenUrl, auth: token.auth, refreshToken });
      return { kind: 'subject', owner, token: { ...token, refreshToken }, siblings };
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      logger.error({ owner: owner.id, version: token.version, code: error.code }, `The token cannot be refreshed: ${error.message}. Correct the row, then restart the pool`);
      await changes.end(token, 'stopped', { job: jobOf(owner, token), event: events.refresh, status: statuses.stopped, text: `${error.code}:${error.message}` });
      return { kind: 'failed', code: error.code, failure: 'error' };
    }
  }
}

export function jobOf(owner: Owner, token: Pick<Token, 'version'>): string {
  return `owner:${owner.id} token:${token.version}`;
}

function skipped(reason: SkipReason): RefreshResult {
  return { kind: 'skipped', reason };
}
