import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import type { Connection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, vi } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import type { Token } from '../../src/domain/token.ts';
import type { Transaction } from '../../src/mysql/transaction.ts';
import { openDatabase, type Database, type DatabaseOptions } from '../../src/mysql/connection.ts';
import { TokenSealing } from '../../src/mysql/token-sealing.ts';
import { TokenTable } from '../../src/mysql/tokens.ts';
import { Fingerprints, KeyRing } from '../../src/runtime/key-ring.ts';
import type { Logger } from '../../src/runtime/log.ts';
import { createDatabase, type TestDatabase } from '../harness/database.ts';

const ignore = (): void => undefined;
export const silent: Logger = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

export const prints = new Fingerprints(new Secret(Buffer.alloc(32, 7).toString('base64')));
export const clear = new KeyRing([]);

export function ringOf(...ids: readonly string[]): KeyRing {
  return new KeyRing(ids.map((id) => ({ id, key: new Secret(Buffer.alloc(32, id).toString('base64')) })));
}

export function newAttempt(): string {
  return randomBytes(16).toString('hex');
}

/** Column values of a row, as SQL sees them. */
export type Columns = Record<string, string | number | Buffer | null>;

/** A schema with owners and tokens, real connections of the service to it, and one beside them to look and arrange. */
export class TokenDatabase {
  readonly schema: TestDatabase;
  readonly rows: Connection;
  /** Of the service, for all tests of the file. */
  readonly db: Database;
  readonly tokens = new TokenTable(new TokenSealing(clear), prints, silent);
  readonly #opened: Database[] = [];

  constructor(schema: TestDatabase, rows: Connection) {
    this.schema = schema;
    this.rows = rows;
    this.db = this.open();
  }

  open(options: Partial<DatabaseOptions> = {}): Database {
    const { host, port, user, password, schema } = this.schema;
    const database = openDatabase({ host, port, user, password: new Secret(password), schema, connectionLimit: 10, queryTimeoutMs: 10_000, ...options }, silent);
    this.#opened.push(database);
    return database;
  }

  async addOwner(columns: Columns = {}): Promise<number> {
    const id = `owner-${randomBytes(4).toString('hex')}`;
    return this.#insert('tsxwho', { ownerid: id, tokenurl: 'https://provider.example/token', defaultconnectionresettime: 4000, isvalid: 1, retrymax: 5, retrydelay: 1000, ...columns });
  }

  async addToken(ownerDid: number, columns: Columns = {}): Promise<number> {
    const secret = randomBytes(6).toString('hex');
    return this.#insert('tsttoken', { tsxwhodid: ownerDid, tokenauth: 'Y2xpZW50OnNlY3JldA==', tokenvalidity: 3_600_000, accesstoken: `at-${secret}`, refreshtoken: `rt-${secret}`, isvalid: 1, ...columns });
  }

  /** As the service reads it; a token that is not valid any more is an error. */
  async token(version: number): Promise<Token> {
    const token = await this.tokens.byVersion(this.db, version);
    if (!token) throw new Error(`token ${String(version)} is not valid`);
    return token;
  }

  async row(version: number): Promise<RowDataPacket> {
    const [row] = await this.select('SELECT *, CAST(isvalid AS UNSIGNED) AS valid, UNIX_TIMESTAMP(createdtime) * 1000 AS createdms FROM tsttoken WHERE tokendid = ?', version);
    if (!row) throw new Error(`there is no row ${String(version)}`);
    return row;
  }

  async select(sql: string, ...params: (string | number)[]): Promise<RowDataPacket[]> {
    const [rows] = await this.rows.query<RowDataPacket[]>(sql, params);
    return rows;
  }

  /** Until a transaction of this schema waits for a lock that another holds. The server renews this table only for who has not looked for 0.1 s. */
  async untilOneWaits(): Promise<void> {
    await delay(150);
    const sql = "SELECT 1 FROM information_schema.innodb_trx x JOIN information_schema.processlist p ON p.id = x.trx_mysql_thread_id WHERE x.trx_state = 'LOCK WAIT' AND p.db = DATABASE()";
    await vi.waitFor(async () => { expect(await this.select(sql)).toHaveLength(1); }, { timeout: 5_000, interval: 200 });
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.map((database) => database.close()));
    await this.schema.drop();
  }

  async #insert(table: string, columns: Columns): Promise<number> {
    const names = Object.keys(columns);
    const [{ insertId }] = await this.rows.query<ResultSetHeader>(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`, Object.values(columns));
    return insertId;
  }
}

/** A schema for the test file that calls this at its top; tests keep apart by owners of their own. */
export function useTokenDatabase(): () => TokenDatabase {
  let database: TokenDatabase | undefined;
  beforeAll(async () => {
    const schema = await createDatabase();
    database = new TokenDatabase(schema, await schema.connect());
  });
  afterAll(async () => { await database?.close(); });
  return () => {
    if (database === undefined) throw new Error('The database of this test file opens in beforeAll');
    return database;
  };
}

/** The same database; `beforeCommit` is awaited when the work of a transaction is done and its COMMIT is not sent yet. */
export function heldBeforeCommit(db: Database, beforeCommit: () => void | Promise<void>): Database {
  return {
    query: (statement, signal) => db.query(statement, signal),
    execute: (statement, signal) => db.execute(statement, signal),
    all: (statements, signal) => db.all(statements, signal),
    transaction: (work: (tx: Transaction) => Promise<never>, signal) =>
      db.transaction(async (tx) => {
        const result = await work(tx);
        await beforeCommit();
        return result;
      }, signal),
    close: () => db.close(),
  };
}
