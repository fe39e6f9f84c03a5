import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Connection } from 'mysql2/promise';
import { CommitUnknown, StoreUnavailable } from '../../src/domain/errors.ts';
import { Secret } from '../../src/domain/secret.ts';
import { openDatabase } from '../../src/mysql/connection.ts';
import type { Database, DatabaseOptions, Statement } from '../../src/mysql/connection.ts';
import { isDuplicateKey, StatementFailed } from '../../src/mysql/failure.ts';
import { loadBaseline } from '../harness/baseline.ts';
import { createDatabase } from '../harness/database.ts';
import { freePort } from '../harness/ports.ts';
import type { TestDatabase } from '../harness/database.ts';
import { startMariaDb } from '../harness/stores.ts';
import type { MariaDb } from '../harness/stores.ts';
import { startTcpProxy } from '../harness/tcp-proxy.ts';
import type { TcpProxy } from '../harness/tcp-proxy.ts';

const hush = 'hush-5e1f';
const silent = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

let schema: TestDatabase;
let admin: Connection;
const opened: Database[] = [];

function ignore(): void {
  // Nothing of these tests is about the log.
}

beforeEach(async () => {
  schema = await createDatabase();
  admin = await schema.connect();
  await admin.query('CREATE TABLE t (id int PRIMARY KEY, flag bit(1) NULL, big bigint NULL, at timestamp(3) NULL, raw varbinary(32) NULL, text varchar(20) NULL)');
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((database) => database.close()));
  await schema.drop();
});

function open(options: Partial<DatabaseOptions> = {}): Database {
  const { host, port, user, password } = schema;
  const database = openDatabase({ host, port, user, password: new Secret(password), schema: schema.schema, connectionLimit: 4, queryTimeoutMs: 5_000, ...options }, silent);
  opened.push(database);
  return database;
}

function addressOf({ host, port, user, password }: MariaDb): Pick<DatabaseOptions, 'host' | 'port' | 'user' | 'password'> {
  return { host, port, user, password: new Secret(password) };
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => expect.fail('nothing was thrown'),
    (error: unknown) => error,
  );
}

async function idsInTable(): Promise<number[]> {
  const [rows] = await admin.query('SELECT id FROM t ORDER BY id');
  return (rows as { id: number }[]).map((row) => row.id);
}

function insert(id: number): Statement {
  return { label: 'test.insert', sql: 'INSERT INTO t (id) VALUES (?)', params: [id] };
}

const connectionId = { label: 'test.id', sql: 'SELECT CONNECTION_ID() AS id' };
const sleep: Statement = { label: 'test.sleep', sql: 'SELECT SLEEP(10)' };

describe('a session', () => {
  test('sees within a transaction what others commit meanwhile', async () => {
    await open().transaction(async (tx) => {
      const read = (): Promise<object[]> => tx.query({ label: 'test', sql: 'SELECT id FROM t' });
      expect(await read()).toEqual([]);
      await admin.query('INSERT INTO t (id) VALUES (1)');
      expect(await read()).toEqual([{ id: 1 }]);
    });
  });

  test('gives back values as it took them', async () => {
    const database = open();
    const row = { id: 1, flag: true, big: 2 ** 53 - 1, at: new Date('2026-03-29T01:30:00.123Z'), raw: Buffer.from([0, 255, 39, 92]), text: "a'\\\n😀" };
    await database.execute({ label: 'test', sql: 'INSERT INTO t VALUES (?, ?, ?, ?, ?, ?), (2, NULL, NULL, NULL, NULL, NULL)', params: Object.values(row) });
    expect(await database.query({ label: 'test', sql: 'SELECT * FROM t WHERE id IN (?) ORDER BY id', params: [[1, 2]] })).toEqual([
      row,
      { id: 2, flag: null, big: null, at: null, raw: null, text: null },
    ]);
    await database.execute({ label: 'test', sql: 'UPDATE t SET flag = ? WHERE id = 1', params: [false] });
    expect(await database.query({ label: 'test', sql: 'SELECT flag FROM t WHERE id = 1' })).toEqual([{ flag: false }]);
  });

  test('takes a secret as a parameter', async () => {
    expect(await open().query({ label: 'test', sql: 'SELECT ? AS text', params: [new Secret(hush)] })).toEqual([{ text: hush }]);
  });

  test('tells how long every statement took and whether it was answered', async () => {
    const seen: [string, boolean][] = [];
    const database = open({ observe: (operation, seconds, ok) => { expect(seconds).toBeGreaterThan(0); seen.push([operation, ok]); } });
    await database.transaction(async (tx) => tx.execute(insert(1)));
    await failureOf(database.execute(insert(1)));
    expect(seen).toEqual([['test.insert', true], ['transaction.commit', true], ['test.insert', false]]);
  });

  test('tells of a statement for which there was no connection, but not of one that nobody waited for', async () => {
    const seen: [string, boolean][] = [];
    const database = open({ port: await freePort(), observe: (operation, _seconds, ok) => { seen.push([operation, ok]); } });
    await failureOf(database.query({ label: 'test.read', sql: 'SELECT 1' }));
    await failureOf(database.execute(insert(1)));
    await failureOf(database.transaction(async (tx) => tx.execute(insert(1))));
    await failureOf(database.query({ label: 'test.abandoned', sql: 'SELECT 1' }, AbortSignal.abort(new Error('left'))));
    expect(seen).toEqual([['test.read', false], ['test.insert', false], ['test.insert', false]]);
  });
});

describe('an error', () => {
  test.for<[string, string, (string | number)[]]>([
    ['a duplicate key', 'INSERT INTO tstkey (name, value) VALUES (?, 1), (?, 2)', [hush, hush]],
    ['a syntax error', 'SELEC ? FROM', [hush]],
    ['a value that does not fit', 'INSERT INTO t (id, text) VALUES (1, ?)', [`${hush}-${'x'.repeat(30)}`]],
    ['a value of the wrong kind', 'INSERT INTO t (id) VALUES (?)', [hush]],
    ['an unknown column', "SELECT nothing FROM t WHERE text = ?", [hush]],
    ['a statement that takes too long', 'SELECT SLEEP(10), ?', [hush]],
  ])('carries neither SQL nor parameters: %s', async ([, sql, params]) => {
    const error = await failureOf(open({ queryTimeoutMs: 1_000 }).query({ label: 'test.broken', sql, params }));
    const everything = `${inspect(error, { depth: 20, showHidden: true })} ${JSON.stringify(error)} ${String((error as Error).stack)}`;
    expect(everything).toContain('test.broken');
    expect(everything).not.toContain(hush);
    expect(everything).not.toContain(sql.slice(0, 10));
  });

  test('of the log-in does not carry the password', async () => {
    const error = await failureOf(open({ password: new Secret(hush) }).query(connectionId));
    expect(error).toBeInstanceOf(StoreUnavailable);
    expect(inspect(error, { depth: 20 })).toContain('ER_ACCESS_DENIED_ERROR');
    expect(inspect(error, { depth: 20 })).not.toContain(hush);
  });

  test('tells which key a duplicate hit', async () => {
    const database = open();
    const owner = { label: 'test', sql: "INSERT INTO tsxwho (ownerid, tokenurl, defaultconnectionresettime, isvalid) VALUES (?, 'u', 1, 1)", params: ["a' for key 'PRIMARY"] };
    await database.execute(owner);
    const error = await failureOf(database.execute(owner));
    expect([isDuplicateKey(error), isDuplicateKey(error, 'ownerid_UNIQUE'), isDuplicateKey(error, 'PRIMARY')]).toEqual([true, true, false]);
  });

  test('of the statement is not taken for an outage, and the connection serves on', async () => {
    const database = open({ connectionLimit: 1 });
    const before = await database.query(connectionId);
    expect(await failureOf(database.query({ label: 'test', sql: 'SELECT * FROM nowhere' }))).toBeInstanceOf(StatementFailed);
    expect(await database.query(connectionId)).toEqual(before);
  });

  test('is an outage where nobody listens', async () => {
    const error = await failureOf(open({ port: 1 }).query(connectionId));
    expect(error).toBeInstanceOf(StoreUnavailable);
    expect((error as StoreUnavailable).cause).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('is an outage where the server cannot do TLS: it is never left out', async () => {
    const error = await failureOf(open({ tls: { verify: true } }).query(connectionId));
    expect((error as StoreUnavailable).cause).toMatchObject({ code: expect.stringMatching(/SSL|CERT|SELF_SIGNED/) as string });
  });

  test('is an outage where the server only reads, and the connection is not used again', async () => {
    const database = open({ connectionLimit: 1 });
    const before = await database.query(connectionId);
    await database.execute({ label: 'test', sql: 'SET SESSION TRANSACTION READ ONLY' });
    expect(await failureOf(database.execute(insert(1)))).toBeInstanceOf(StoreUnavailable);
    expect(await database.query(connectionId)).not.toEqual(before);
    await database.execute(insert(1));
  });
});

describe('a transaction', () => {
  test('is committed with its result, or rolled back with its error', async () => {
    const database = open();
    expect(await database.transaction(async (tx) => (await tx.execute(insert(1))).affectedRows)).toBe(1);
    const refusal = new Error('refused');
    expect(await failureOf(database.transaction(async (tx) => { await tx.execute(insert(2)); throw refusal; }))).toBe(refusal);
    expect(await idsInTable()).toEqual([1]);
  });

  test('may go on after a duplicate key', async () => {
    const database = open();
    await database.transaction(async (tx) => {
      await tx.execute(insert(1));
      expect(isDuplicateKey(await failureOf(tx.execute(insert(1))))).toBe(true);
      await tx.execute(insert(2));
    });
    expect(await idsInTable()).toEqual([1, 2]);
  });

  test('takes no statement after its end', async () => {
    const database = open();
    const tx = await database.transaction(async (session) => ({ session }));
    await expect(tx.session.execute(insert(1))).rejects.toThrow('the transaction is over');
  });

  test('is not committed where a failure of the store in it was ignored', async () => {
    const database = open();
    const error = await failureOf(database.transaction(async (tx) => {
      await tx.execute(insert(1));
      await tx.query({ label: 'test', sql: 'SELECT SLEEP(1)', timeoutMs: 100 }).catch(ignore);
    }));
    expect(error).toBeInstanceOf(StoreUnavailable);
    expect(error).not.toBeInstanceOf(CommitUnknown);
    expect(await idsInTable()).toEqual([]);
  });

  test('that waits for a lock ends as an outage before its caller gives up, and does nothing later', async () => {
    await admin.query('INSERT INTO t (id) VALUES (1)');
    await admin.query('START TRANSACTION');
    await admin.query('UPDATE t SET big = 1 WHERE id = 1');
    const error = await failureOf(open({ queryTimeoutMs: 1_900 }).execute({ label: 'test', sql: 'UPDATE t SET big = 2 WHERE id = 1' }));
    await admin.query('COMMIT');
    expect((error as StoreUnavailable).cause).toMatchObject({ code: 'ER_LOCK_WAIT_TIMEOUT' });
    expect((await admin.query('SELECT big FROM t'))[0]).toEqual([{ big: 1 }]);
  });

  test('of a process that does nothing more loses its locks by itself', async () => {
    const frozen = open({ queryTimeoutMs: 1_000 });
    const other = open({ queryTimeoutMs: 1_000 });
    const lock = { label: 'test', sql: 'UPDATE tstepoch SET epoch = epoch + 1' };
    let thaw: () => void = ignore;
    let locked: () => void = ignore;
    const holds = new Promise<void>((resolve) => { locked = resolve; });
    const ended = failureOf(frozen.transaction(async (tx) => {
      await tx.execute(lock);
      locked();
      await new Promise<void>((resolve) => { thaw = resolve; });
    }));
    await holds;
    await expect.poll(() => other.execute(lock), { timeout: 10_000 }).toMatchObject({ affectedRows: 1 });
    thaw();
    expect(await ended).toBeInstanceOf(StoreUnavailable);
    expect((await admin.query('SELECT epoch FROM tstepoch'))[0]).toEqual([{ epoch: 1 }]);
  });
});

describe('across a network that fails', () => {
  let proxy: TcpProxy;

  beforeEach(async () => {
    proxy = await startTcpProxy(schema.port);
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((database) => database.close()));
    await proxy.stop();
  });

  test('a COMMIT whose answer is lost is unknown, though it was carried out', async () => {
    const database = open({ port: proxy.port, queryTimeoutMs: 1_000 });
    const error = await failureOf(database.transaction(async (tx) => {
      await tx.execute(insert(1));
      proxy.blackHole('toClient');
    }));
    expect(error).toBeInstanceOf(CommitUnknown);
    await expect.poll(idsInTable).toEqual([1]);
  });

  test('a COMMIT that is lost itself is unknown, and its connection is not used again', async () => {
    const database = open({ port: proxy.port, connectionLimit: 1 });
    const before = await database.query(connectionId);
    const error = await failureOf(database.transaction(async (tx) => {
      await tx.execute(insert(1));
      proxy.reset();
    }));
    expect(error).toBeInstanceOf(CommitUnknown);
    expect(await database.query(connectionId)).not.toEqual(before);
    expect(await idsInTable()).toEqual([]);
  });

  test('many refused connections later, the pool is as large as before', async () => {
    const database = open({ port: proxy.port, connectionLimit: 2 });
    await proxy.cut();
    for (let times = 0; times < 5; times += 1) expect(await failureOf(database.query(connectionId))).toBeInstanceOf(StoreUnavailable);
    await proxy.restore();
    const ids = await Promise.all([1, 2].map(() => database.query({ label: 'test', sql: 'SELECT CONNECTION_ID() AS id, SLEEP(0.1) AS slept' })));
    expect(new Set(ids.map((rows) => JSON.stringify(rows))).size).toBe(2);
  });

  /** Leaves the database with connections in its pool that the server has closed without their being told. */
  async function withDeadConnections(count: number, observe: DatabaseOptions['observe'] = ignore): Promise<Database> {
    const database = open({ port: proxy.port, observe });
    const ids = await Promise.all(Array.from({ length: count }, () => database.query<{ id: number }>({ label: 'test', sql: 'SELECT CONNECTION_ID() AS id, SLEEP(0.05)' })));
    proxy.blackHole('toClient');
    for (const [row] of ids) await admin.query('KILL ?', [row?.id]);
    void proxy.restore();
    return database;
  }

  test('a read on dead connections of the pool is asked again until one lives', async () => {
    const answered: boolean[] = [];
    const database = await withDeadConnections(3, (operation, _, ok) => { if (operation === 'test.again') answered.push(ok); });
    expect(await database.query({ label: 'test.again', sql: 'SELECT 1 AS one' })).toEqual([{ one: 1 }]);
    expect(answered.at(0)).toBe(false);
    expect(answered.at(-1)).toBe(true);
  });

  test('a transaction begins on a connection that lives', async () => {
    const database = await withDeadConnections(3);
    await database.transaction(async (tx) => tx.execute(insert(1)));
    expect(await idsInTable()).toEqual([1]);
  });

  test('a change on a dead connection is not asked again', async () => {
    const database = await withDeadConnections(1);
    expect(await failureOf(database.execute(insert(1)))).toBeInstanceOf(StoreUnavailable);
    expect(await idsInTable()).toEqual([]);
  });
});

describe('a wait', () => {
  test('for an answer ends when its signal says so', async () => {
    const abort = new AbortController();
    const waiting = failureOf(open().query(sleep, abort.signal));
    setTimeout(() => abort.abort(new Error('enough')), 50);
    expect(await waiting).toMatchObject({ message: 'enough' });
  });

  test('for a connection ends in time, or when its signal says so, and leaves nobody in the queue', async () => {
    const database = open({ connectionLimit: 1, queryTimeoutMs: 1_000 });
    const busy = failureOf(database.query({ ...sleep, timeoutMs: 2_500 }));
    const start = performance.now();
    expect(await failureOf(database.query(connectionId, AbortSignal.timeout(50)))).toMatchObject({ name: 'TimeoutError' });
    const error = await failureOf(database.query(connectionId));
    expect((error as StoreUnavailable).cause).toMatchObject({ code: 'NO_FREE_CONNECTION' });
    expect(performance.now() - start).toBeLessThan(2_000);
    await busy;
    expect(await database.query(connectionId)).toHaveLength(1);
  });

  test('at closing is for the statements under way; later ones are refused', async () => {
    const database = open();
    const last = database.query({ label: 'test', sql: 'SELECT SLEEP(0.3) AS slept' });
    await expect.poll(async () => (await admin.query('SELECT COUNT(*) AS n FROM information_schema.processlist WHERE info LIKE ?', ['SELECT SLEEP(0.3)%']))[0]).toEqual([{ n: 1 }]);
    await Promise.all([database.close(), database.close()]);
    expect(await last).toEqual([{ slept: 0 }]);
    expect(await failureOf(database.query(connectionId))).toBeInstanceOf(StoreUnavailable);
  });
});

describe('a server of unusual settings', () => {
  test('gets sessions in UTC, strict, with backslashes that escape', async () => {
    const server = await startMariaDb({ args: ['--sql-mode=NO_BACKSLASH_ESCAPES,ANSI_QUOTES', '--default-time-zone=+05:00', '--transaction-isolation=SERIALIZABLE', '--autocommit=0'] });
    try {
      await loadBaseline(server, 'odd');
      const database = open({ ...addressOf(server), schema: 'odd' });
      const sql = 'SELECT @@time_zone AS zone, @@sql_mode AS mode, @@autocommit AS auto, ? AS text';
      const [row] = await database.query<{ mode: string }>({ label: 'test', sql, params: ["\\' OR 1 = 1 -- "] });
      expect(row).toMatchObject({ zone: '+00:00', auto: 1, text: "\\' OR 1 = 1 -- " });
      expect(row?.mode).toContain('STRICT_TRANS_TABLES');
      expect(row?.mode).not.toMatch(/BACKSLASH|ANSI/);
      const level = { label: 'test', sql: "SHOW SESSION VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')" };
      expect((await database.query<{ Value: string }>(level)).at(0)?.Value).toBe('READ-COMMITTED');
    } finally {
      await Promise.all(opened.splice(0).map((database) => database.close()));
      await server.remove();
    }
  });
});

describe('a server that is frozen', () => {
  let server: MariaDb;

  beforeEach(async () => {
    server = await startMariaDb();
    await loadBaseline(server, 'frozen');
  });

  afterEach(async () => {
    server.thaw();
    await Promise.all(opened.splice(0).map((database) => database.close()));
    await server.remove();
  });

  test('makes nobody wait longer than said: neither readers in a crowd, nor changes, nor a commit; and all goes on after it', async () => {
    const database = open({ ...addressOf(server), schema: 'frozen', connectionLimit: 2, queryTimeoutMs: 1_000 });
    const change = { label: 'test', sql: 'UPDATE tstepoch SET epoch = epoch + 1' };
    await Promise.all([database.query(connectionId), database.query(connectionId)]);
    const start = performance.now();
    const commit = failureOf(database.transaction(async (tx) => {
      await tx.execute(change);
      server.freeze();
    }));
    expect(await commit).toBeInstanceOf(CommitUnknown);
    const crowd = await Promise.all(Array.from({ length: 20 }, (_, at) => failureOf(at % 2 === 0 ? database.query(connectionId) : database.execute(change))));
    expect(crowd.every((error) => error instanceof StoreUnavailable)).toBe(true);
    expect(performance.now() - start).toBeLessThan(8_000);
    server.thaw();
    await expect.poll(() => database.query(connectionId).catch(ignore), { timeout: 10_000 }).toHaveLength(1);
  });

  test('does not keep the process from closing', async () => {
    const database = open({ ...addressOf(server), schema: 'frozen', queryTimeoutMs: 1_000 });
    await database.query(connectionId);
    server.freeze();
    const start = performance.now();
    await database.close();
    expect(performance.now() - start).toBeLessThan(3_000);
  });
});
