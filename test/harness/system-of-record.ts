import type { Connection } from 'mysql2/promise';

import type { MariaDb } from './stores.ts';

/** A grant as providers of the harness issue it. */
export interface OwnedGrant {
  readonly tokenAuth: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresInMs: number;
  readonly tokenUrl: string;
}

export interface OwnerRow {
  readonly ownerId: string;
  readonly grants: readonly OwnedGrant[];
  readonly resetTimeMs?: number;
  readonly retryMax?: number;
  readonly retryDelayMs?: number;
  readonly refreshMode?: 'auto' | 'overlap' | 'drain';
  readonly providerPolicy?: 'reuse_detect' | 'grace' | 'non_rotating';
  readonly graceMs?: number;
}

/** The tables of the service, as an operator reaches them. */
export class SystemOfRecord {
  readonly mariaDb: MariaDb;
  readonly #connect: () => Promise<Connection>;

  constructor(mariaDb: MariaDb, connect: () => Promise<Connection>) {
    this.mariaDb = mariaDb;
    this.#connect = connect;
  }

  /** As an operator would, by the manual's statements. */
  async addOwner(owner: OwnerRow): Promise<number> {
    return this.withConnection(async (connection) => {
      const values = [owner.ownerId, owner.grants[0]?.tokenUrl ?? 'http://127.0.0.1:1/token', owner.resetTimeMs ?? 200, 0, owner.retryMax ?? 5, owner.retryDelayMs ?? 300, owner.refreshMode ?? 'auto', owner.providerPolicy ?? 'reuse_detect', owner.graceMs ?? 0];
      const sql = 'INSERT INTO tsxwho (ownerid, tokenurl, defaultconnectionresettime, isvalid, reattmptcount, retrymax, retrydelay, refreshmode, providerpolicy, gracems) VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?)';
      const [inserted] = await connection.query(sql, values);
      const did = (inserted as { insertId: number }).insertId;
      for (const grant of owner.grants) await insertToken(connection, did, grant);
      return did;
    });
  }

  async addToken(ownerDid: number, grant: OwnedGrant): Promise<void> {
    await this.withConnection((connection) => insertToken(connection, ownerDid, grant));
  }

  async query<T>(sql: string, params: (string | number | null)[] = []): Promise<T[]> {
    return this.withConnection(async (connection) => (await connection.query(sql, params))[0] as T[]);
  }

  async withConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.#connect();
    try {
      return await work(connection);
    } finally {
      connection.destroy();
    }
  }
}

async function insertToken(connection: Connection, ownerDid: number, grant: OwnedGrant): Promise<void> {
  const sql = 'insert into tsttoken ( tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken , isvalid ) values (?, ?, ?, ?, ?, 1)';
  await connection.query(sql, [ownerDid, grant.tokenAuth, grant.expiresInMs, grant.accessToken, grant.refreshToken]);
}
