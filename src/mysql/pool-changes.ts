import type { HistoryEvent } from '../domain/event.ts';
import { returnStep, type Token, type TokenState } from '../domain/token.ts';
import { unspend } from './claims.ts';
import type { Database } from './connection.ts';
import { appendEvents } from './events.ts';

/** Changes of valid rows outside an attempt: restart, supersede, bury. */
export class PoolChanges {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Makes stopped and dead tokens of the owner idle again, forgets their failures and has all idle ones planned anew, withdrawn or not. */
  async restart(ownerDid: number, event: HistoryEvent): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const sql = `UPDATE tsttoken SET state = 'idle', retrycount = 0, dueat = NULL, uc = COALESCE(uc, 0) + ${returnStep}
        WHERE tsxwhodid = ? AND isvalid = 1 AND state IN ('idle', 'stopped', 'dead')`;
      await tx.execute({ label: 'pool.restart', sql, params: [ownerDid] });
      await tx.execute({ label: 'pool.restartOwner', sql: 'UPDATE tsxwho SET reattmptcount = 0 WHERE tsxwhodid = ?', params: [ownerDid] });
      await appendEvents(tx, [event]);
    });
  }

  /** Lets a row that was made invalid and valid again outrank its withdrawal. @returns false where the row has changed since it was read */
  async bringBack(token: Pick<Token, 'version' | 'uc'>): Promise<boolean> {
    const sql = `UPDATE tsttoken SET uc = COALESCE(uc, 0) + ${returnStep} WHERE tokendid = ? AND isvalid = 1 AND COALESCE(uc, 0) = ?`;
    const { affectedRows } = await this.#db.execute({ label: 'pool.bringBack', sql, params: [token.version, token.uc] });
    return affectedRows === 1;
  }

  /** Ends an idle row without sending anything. @returns false where the row has changed since it was read */
  async end(token: Token, state: 'stopped' | 'dead', event: HistoryEvent): Promise<boolean> {
    return this.#change(token, `state = '${state}', dueat = NULL`, 'pool.end', event);
  }

  /**
   * Takes a row out of its slot, because a newer one was inserted beside it; not while its answer is awaited.
   * A claim on it that was not sent is taken back: its holder's next step fails.
   */
  async supersede(token: Token, event: HistoryEvent): Promise<boolean> {
    return this.#change(token, "isvalid = 0, state = 'idle', dueat = NULL", 'pool.supersede', event, ['idle', 'claimed', 'stopped', 'dead', 'in_doubt']);
  }

  async #change(token: Token, set: string, label: string, event: HistoryEvent, from: readonly TokenState[] = ['idle']): Promise<boolean> {
    if (!from.includes(token.state)) return false;
    return this.#db.transaction(async (tx) => {
      const sql = `UPDATE tsttoken SET ${set}, uc = COALESCE(uc, 0) + 1, statesince = NOW(3) WHERE tokendid = ? AND isvalid = 1 AND state = ? AND COALESCE(uc, 0) = ?`;
      const { affectedRows } = await tx.execute({ label, sql, params: [token.version, token.state, token.uc] });
      if (affectedRows !== 1) return false;
      if (token.state === 'claimed' && token.attempt !== null) await unspend(tx, token.attempt);
      await appendEvents(tx, [event]);
      return true;
    });
  }
}
