import type { HistoryEvent } from '../domain/event.ts';
import type { Epoch } from '../domain/lease.ts';
import type { Token } from '../domain/token.ts';
import type { Fingerprints } from '../runtime/key-ring.ts';
import { outcomeOf, type Database, type Session, type Statement } from './connection.ts';
import { eventsStatement } from './events.ts';
import { isDuplicateKey } from './failure.ts';
import { sentBefore } from './mark-sending.ts';
import { epochIn, epochUnderLock, lockEpoch } from './terms.ts';
import type { Transaction } from './transaction.ts';

/** Who may use a refresh token, and for what attempt. */
export interface Claim {
  readonly version: number;
  readonly ownerDid: number;
  /** 32 hex digits, never used twice. */
  readonly attempt: string;
  readonly epoch: Epoch;
}

export type ClaimResult =
  | 'claimed'
  /** A later term has begun: this node is no longer master. */
  | 'fenced'
  /** The row is not as it was read: another attempt holds it, or it was replaced. */
  | 'stale'
  /** This very refresh token was presented before. */
  | 'spent';

/** Thrown to roll a transaction back; the value is the answer. */
class Refused extends Error {
  readonly result: Exclude<ClaimResult, 'claimed'>;

  constructor(result: Exclude<ClaimResult, 'claimed'>) {
    super(result);
    this.result = result;
  }
}

/**
 * Claims on refresh tokens: the guard that a refresh token is presented at most once.
 *
 * A claim is a committed row state bound to an attempt id, together with the token's fingerprint in a table where it is unique.
 * It moves on by compare-and-set on (row, attempt, state). Only `claimed` may be taken back by somebody else:
 * its holder has to move it to `sending` before anything is sent, and will then find that it is gone.
 * `sending` is never taken over, however old; it is asked for again only as the owner's provider policy allows.
 */
export class ClaimTable {
  readonly #db: Database;
  readonly #prints: Fingerprints;
  readonly #node: string;

  constructor(db: Database, prints: Fingerprints, node: string) {
    this.#db = db;
    this.#prints = prints;
    this.#node = node;
  }

  /** @throws StoreUnavailable; the token then counts as not claimed */
  async claim(token: Token, claim: Claim): Promise<ClaimResult> {
    return this.#take(token, async (tx, fingerprint) => {
      const sql = `UPDATE tsttoken SET state = 'claimed', attempt = ?, attemptepoch = ?, attemptnode = ?, statesince = NOW(3), uc = COALESCE(uc, 0) + 1
        WHERE tokendid = ? AND isvalid = 1 AND COALESCE(uc, 0) = ? AND state = 'idle'`;
      const params = [claim.attempt, claim.epoch, this.#node, token.version, token.uc];
      const [epochs, outcome] = await tx.all([epochUnderLock, { label: 'claims.claim', sql, params }]);
      if (epochIn(epochs) !== claim.epoch) throw new Refused('fenced');
      if (outcomeOf(outcome).affectedRows !== 1) throw new Refused('stale');
      const spend = 'INSERT INTO tstspent (fingerprint, tokendid, attempt, epoch) VALUES (?, ?, ?, ?)';
      tx.last({ label: 'claims.spend', sql: spend, params: [fingerprint, claim.version, claim.attempt, claim.epoch] });
    });
  }

  /**
   * Claims a token in doubt once more, where the provider's policy allows to ask again: by the record itself, at this moment.
   * The row is in doubt until it is sent again, and is so again if it is not: what was sent before may have been carried out.
   * @throws StoreUnavailable
   */
  async claimAgain(token: Token, claim: Claim): Promise<ClaimResult> {
    return this.#take(token, async (tx, fingerprint) => {
      if ((await lockEpoch(tx)) !== claim.epoch) throw new Refused('fenced');
      if (!(await mayAskAgain(tx, token))) throw new Refused('stale');
      const sql = `UPDATE tsttoken SET state = 'in_doubt', attempt = ?, attemptepoch = ?, attemptnode = ?, uc = COALESCE(uc, 0) + 1,
        statesince = GREATEST(NOW(3), (SELECT createdtime + INTERVAL 1000 MICROSECOND FROM tstspent WHERE fingerprint = ?))
        WHERE tokendid = ? AND isvalid = 1 AND COALESCE(uc, 0) = ? AND state IN ('sending', 'in_doubt') AND attempt = ?`;
      const params = [claim.attempt, claim.epoch, this.#node, fingerprint, token.version, token.uc, token.attempt];
      const { affectedRows } = await tx.execute({ label: 'claims.claimAgain', sql, params });
      if (affectedRows !== 1) throw new Refused('stale');
      const spend = 'UPDATE tstspent SET attempt = ?, epoch = ? WHERE fingerprint = ?';
      await tx.execute({ label: 'claims.spendAgain', sql: spend, params: [claim.attempt, claim.epoch, fingerprint] });
    });
  }

  /** When the refresh token of a claim was sent for the first time, epoch ms; by an earlier attempt, where there was one. */
  async firstSentAt(attempt: string): Promise<number | undefined> {
    const sql = 'SELECT UNIX_TIMESTAMP(createdtime) * 1000 AS at FROM tstspent WHERE attempt = ?';
    const [spent] = await this.#db.query<{ at: number }>({ label: 'claims.firstSentAt', sql, params: [attempt] });
    return spent && Number(spent.at);
  }

  /**
   * Says in the history, with the mark and once, that the attempt is in doubt. May be repeated until it succeeds.
   * @returns false where the row has moved on
   */
  async markInDoubt(version: number, attempt: string, event: HistoryEvent): Promise<boolean> {
    return this.#db.transaction(async (tx) => {
      const sql = "UPDATE tsttoken SET state = 'in_doubt', uc = COALESCE(uc, 0) + 1 WHERE tokendid = ? AND attempt = ? AND state = 'sending'";
      const { affectedRows } = await tx.execute({ label: 'claims.doubt', sql, params: [version, attempt] });
      if (affectedRows === 1) tx.last(eventsStatement([event]));
      return affectedRows === 1 || isInDoubt(tx, version, attempt);
    });
  }

  /** Takes back a claim that was never sent: the holder's next step fails if it still lives. */
  async takeBack(token: Token, dueAt: number): Promise<boolean> {
    return this.#db.transaction(async (tx) => {
      const sql = "UPDATE tsttoken SET state = 'idle', attempt = NULL, dueat = ?, uc = COALESCE(uc, 0) + 1 WHERE tokendid = ? AND attempt = ? AND state = 'claimed'";
      const { affectedRows } = await tx.execute({ label: 'claims.takeBack', sql, params: [dueAt, token.version, token.attempt ?? ''] });
      if (affectedRows === 1) await unspend(tx, token.attempt ?? '');
      return affectedRows === 1;
    });
  }

  async #take(token: Token, hold: (tx: Transaction, fingerprint: Buffer) => Promise<void>): Promise<ClaimResult> {
    if (token.refreshToken === null) return 'stale';
    const fingerprint = this.#prints.ofRefreshToken(token.refreshToken);
    try {
      await this.#db.transaction((tx) => hold(tx, fingerprint));
      return 'claimed';
    } catch (error) {
      if (error instanceof Refused) return error.result;
      if (isDuplicateKey(error, 'PRIMARY')) return 'spent';
      throw error;
    }
  }
}

/** Whether an attempt is not the first that may have presented its refresh token to a provider which minds. */
export async function isRepeated(tx: Session, version: number, attempt: string): Promise<boolean> {
  const sql = `SELECT 1 FROM tsttoken t JOIN tstspent s ON s.attempt = t.attempt JOIN tsxwho w ON w.tsxwhodid = t.tsxwhodid
    WHERE t.tokendid = ? AND t.attempt = ? AND w.providerpolicy <> 'non_rotating' AND ${sentBefore}`;
  return (await tx.query({ label: 'claims.isRepeated', sql, params: [version, attempt] })).length > 0;
}

async function isInDoubt(tx: Session, version: number, attempt: string): Promise<boolean> {
  const sql = "SELECT 1 FROM tsttoken WHERE tokendid = ? AND attempt = ? AND isvalid = 1 AND state = 'in_doubt'";
  return (await tx.query({ label: 'claims.isInDoubt', sql, params: [version, attempt] })).length > 0;
}

/** A window of grace counts from the first time the refresh token was sent. */
async function mayAskAgain(tx: Session, token: Token): Promise<boolean> {
  const sql = `SELECT 1 FROM tsttoken t JOIN tstspent s ON s.attempt = t.attempt JOIN tsxwho w ON w.tsxwhodid = t.tsxwhodid
    WHERE t.tokendid = ? AND t.attempt = ?
    AND (w.providerpolicy = 'non_rotating' OR (w.providerpolicy = 'grace' AND s.createdtime + INTERVAL w.gracems * 1000 MICROSECOND > NOW(3)))`;
  return (await tx.query({ label: 'claims.mayAskAgain', sql, params: [token.version, token.attempt ?? ''] })).length > 0;
}

/** Makes a refresh token presentable again: it was not sent, or the provider answered that it stays valid. */
export function unspending(attempt: string): Statement {
  return { label: 'claims.unspend', sql: 'DELETE FROM tstspent WHERE attempt = ?', params: [attempt] };
}

export async function unspend(tx: Session, attempt: string): Promise<void> {
  await tx.execute(unspending(attempt));
}
