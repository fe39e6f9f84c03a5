import type { ClusterStores } from '../harness/cluster.ts';

export interface DueRefresh {
  readonly owner: string;
  /** Epoch ms. */
  readonly at: number;
}

export interface Refreshed {
  readonly owner: string;
  readonly version: number;
}

/** What the show asks the system of record: all of it is what an operator could ask. */
export class SystemOfRecord {
  readonly #stores: ClusterStores;

  constructor(stores: ClusterStores) {
    this.#stores = stores;
  }

  async databaseVersion(): Promise<string> {
    const [row] = await this.#stores.query<{ version: string }>('SELECT VERSION() AS version');
    return /^[\d.]+/.exec(row?.version ?? '')?.[0] ?? '';
  }

  async epoch(): Promise<number> {
    const [row] = await this.#stores.query<{ epoch: number }>('SELECT epoch FROM tstepoch');
    return row?.epoch ?? 0;
  }

  /** Rows in which a token or a client secret stands unsealed, replaced tokens included. */
  async rowsInClear(): Promise<number> {
    const inClear = ['tokenauth', 'accesstoken', 'refreshtoken'].map((column) => `COALESCE(${column}, '') <> '' AND ${column} NOT LIKE 'sealed:%'`);
    const [row] = await this.#stores.query<{ number: number }>(`SELECT COUNT(*) AS number FROM tsttoken WHERE ${inClear.map((one) => `(${one})`).join(' OR ')}`);
    return row?.number ?? 0;
  }

  /** The refreshes that are planned now, in the order in which they are due. */
  async due(): Promise<DueRefresh[]> {
    return this.#stores.query<DueRefresh>(`SELECT w.ownerid AS owner, t.dueat AS at FROM tsttoken t JOIN tsxwho w USING (tsxwhodid)
      WHERE t.isvalid = 1 AND t.state = 'idle' AND t.dueat IS NOT NULL ORDER BY t.dueat`);
  }

  /** Refreshes claimed in a term after `epoch` and recorded, in order. */
  async refreshesAfter(epoch: number): Promise<Refreshed[]> {
    return this.#stores.query<Refreshed>(`SELECT w.ownerid AS owner, child.tokendid AS version
      FROM tstspent s JOIN tsttoken child ON child.parenttokendid = s.tokendid JOIN tsxwho w USING (tsxwhodid)
      WHERE s.epoch > ? ORDER BY child.tokendid`, [epoch]);
  }

  /** How many of the valid tokens came of a refresh in a term after `epoch`. */
  async renewedAfter(epoch: number): Promise<number> {
    const sql = 'SELECT COUNT(*) AS number FROM tsttoken t JOIN tstspent s ON s.tokendid = t.parenttokendid WHERE t.isvalid = 1 AND s.epoch > ?';
    const [row] = await this.#stores.query<{ number: number }>(sql, [epoch]);
    return row?.number ?? 0;
  }
}
