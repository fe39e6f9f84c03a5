import type { Epoch } from '../domain/lease.ts';
import type { Database, Session, Statement } from './connection.ts';

const clockMs = 'ROUND(UNIX_TIMESTAMP(NOW(3)) * 1000)';

/**
 * The master's terms (`tstepoch`). A term begins with a higher epoch, whatever made its node master;
 * from then on no claim commits under an older one.
 */
export class TermTable {
  readonly #db: Database;
  readonly #node: string;

  constructor(db: Database, node: string) {
    this.#db = db;
    this.#node = node;
  }

  /** Begins a term by right of the lease in Redis. @throws StoreUnavailable; the term then counts as not begun */
  async begin(leaseMs: number): Promise<Epoch> {
    return this.#db.transaction(async (tx) => {
      await tx.execute({ label: 'terms.begin', sql: `UPDATE tstepoch SET epoch = epoch + 1, holder = ?, since = NOW(3), leaseuntil = ${clockMs} + ? WHERE id = 1`, params: [this.#node, leaseMs] });
      return readEpoch(tx);
    });
  }

  /** Begins a term while Redis is away, unless a master's lease runs in the database. */
  async beginWithoutRedis(leaseMs: number): Promise<Epoch | undefined> {
    return this.#db.transaction(async (tx) => {
      const sql = `UPDATE tstepoch SET epoch = epoch + 1, holder = ?, since = NOW(3), leaseuntil = ${clockMs} + ? WHERE id = 1 AND (leaseuntil IS NULL OR leaseuntil < ${clockMs})`;
      const { affectedRows } = await tx.execute({ label: 'terms.beginWithoutRedis', sql, params: [this.#node, leaseMs] });
      return affectedRows === 1 ? readEpoch(tx) : undefined;
    });
  }

  /** Renews the lease in the database. @returns false where another term has begun */
  async renew(epoch: Epoch, leaseMs: number): Promise<boolean> {
    const { affectedRows } = await this.#db.execute({ label: 'terms.renew', sql: `UPDATE tstepoch SET leaseuntil = ${clockMs} + ? WHERE id = 1 AND epoch = ?`, params: [leaseMs, epoch] });
    return affectedRows === 1;
  }

  async end(epoch: Epoch): Promise<void> {
    await this.#db.execute({ label: 'terms.end', sql: 'UPDATE tstepoch SET leaseuntil = NULL WHERE id = 1 AND epoch = ?', params: [epoch] });
  }
}

const epochNow: Statement = { label: 'terms.epoch', sql: 'SELECT epoch FROM tstepoch WHERE id = 1' };

/** Holds off the beginning of a new term until the transaction ends. An explicit lock: a plain read or a subquery would not fence. */
export const epochUnderLock: Statement = { label: 'terms.epoch', sql: `${epochNow.sql} LOCK IN SHARE MODE` };

export async function lockEpoch(tx: Session): Promise<Epoch> {
  return epochIn(await tx.query(epochUnderLock));
}

async function readEpoch(tx: Session): Promise<Epoch> {
  return epochIn(await tx.query(epochNow));
}

/** @param rows what one of the statements above brought */
export function epochIn(rows: unknown): Epoch {
  const [row] = rows as { epoch: number }[];
  // Without it no term could fence another.
  if (!row) throw new Error('The table tstepoch lacks its row: INSERT INTO tstepoch (id, epoch) VALUES (1, a number above every tsttoken.attemptepoch)');
  return Number(row.epoch);
}
