import { randomBytes } from 'node:crypto';

import type { Connection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { createDatabase } from '../harness/database.ts';
import type { TestDatabase } from '../harness/database.ts';
import { documentedSql, sqlBlocks, sqlDocuments } from './sql-blocks.ts';
import type { SqlDocument } from './sql-blocks.ts';

type Values = Readonly<Record<string, string | number | Buffer | null>>;

let database: TestDatabase;
let connection: Connection;

beforeEach(async () => {
  database = await createDatabase();
  connection = await database.connect();
  await insert('tsxwho', { ownerid: 'gw', tokenurl: 'https://provider.example/token', defaultconnectionresettime: 4000, isvalid: 1 });
});

afterEach(() => database.drop());

async function insert(table: string, values: Values): Promise<number> {
  const names = Object.keys(values);
  const sql = `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
  return (await connection.query<ResultSetHeader>(sql, Object.values(values)))[0].insertId;
}

async function insertToken(values: Values = {}): Promise<number> {
  return insert('tsttoken', { tsxwhodid: 1, tokenauth: 'YTpi', tokenvalidity: 3_600_000, accesstoken: 'a', refreshtoken: 'r', isvalid: 1, ...values });
}

async function insertSpent(tokendid: number, values: Values = {}): Promise<Buffer> {
  const fingerprint = randomBytes(32);
  await insert('tstspent', { fingerprint, tokendid, attempt: randomBytes(16).toString('hex'), epoch: 1, ...values });
  return fingerprint;
}

/** What the last statement gave. */
async function run(document: SqlDocument, title: string, values: Readonly<Record<string, number | string>> = {}): Promise<unknown> {
  let result: unknown;
  for (const sql of documentedSql(document, title, values)) [result] = await connection.query(sql);
  return result;
}

async function column(sql: string): Promise<unknown[]> {
  return (await connection.query<RowDataPacket[]>({ sql, rowsAsArray: true }))[0].map((row) => (row as unknown as unknown[])[0]);
}

const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 23).replace('T', ' ');

test('every piece of SQL in the documents runs on the schema of this version', async () => {
  const ran = [];
  for (const document of sqlDocuments) {
    for (const { title, statements } of sqlBlocks(document)) {
      for (const sql of statements) await expect(connection.query(sql), `docs/${document}: ${sql}`).resolves.toBeDefined();
      ran.push(`${document} ${title}`);
    }
  }
  expect(ran.length).toBeGreaterThan(12);
  expect(new Set(ran).size).toBe(ran.length);
});

describe('pruning', () => {
  test('deletes old history, in batches', async () => {
    await connection.query(`INSERT INTO tstevent (jobname, event, status, createdtime) SELECT 'old', '1', '1', '${daysAgo(100)}' FROM seq_1_to_5001`);
    await insert('tstevent', { jobname: 'young', event: '1', status: '1', createdtime: daysAgo(80) });
    const deleted = [];
    do deleted.push(((await run('operations.md', 'Prune the history')) as ResultSetHeader).affectedRows); while (deleted.at(-1) !== 0);
    expect(deleted).toEqual([5000, 1, 0]);
    expect(await column('SELECT jobname FROM tstevent')).toEqual(['young']);
  });

  test('deletes old tokens that were replaced, and neither valid nor young ones, nor the newest', async () => {
    const old = { createdtime: daysAgo(60) };
    const grandparent = await insertToken({ ...old, isvalid: 0 });
    const parent = await insertToken({ ...old, isvalid: 0, parenttokendid: grandparent });
    const valid = await insertToken({ ...old, parenttokendid: parent });
    const doubtful = await insertToken({ ...old, state: 'in_doubt', attempt: 'a'.repeat(32) });
    const young = await insertToken({ isvalid: 0, createdtime: daysAgo(20) });
    const newest = await insertToken({ ...old, isvalid: 0 });
    expect(await run('operations.md', 'Prune replaced tokens')).toMatchObject({ affectedRows: 2 });
    expect(await column('SELECT tokendid FROM tsttoken ORDER BY 1')).toEqual([valid, doubtful, young, newest]);
    expect(await column(`SELECT parenttokendid FROM tsttoken WHERE tokendid = ${valid}`)).toEqual([parent]);
    // The place of the parent is still taken: no second child.
    await expect(insertToken({ parenttokendid: parent })).rejects.toThrow('uk01tsttoken');
  });

  test('deletes old fingerprints, and none of a valid row, such as one in doubt', async () => {
    const old = { createdtime: daysAgo(500) };
    const replaced = await insertToken({ isvalid: 0 });
    const doubtful = await insertToken({ state: 'in_doubt', attempt: 'b'.repeat(32), parenttokendid: replaced });
    await insertSpent(replaced, old);
    await insertSpent(99, old);
    const kept = [await insertSpent(doubtful, { ...old, attempt: 'b'.repeat(32) }), await insertSpent(doubtful, old), await insertSpent(99, { ...old, attempt: 'b'.repeat(32), fingerprint: randomBytes(32) }), await insertSpent(replaced)];
    expect(await run('operations.md', 'Prune fingerprints')).toMatchObject({ affectedRows: 2 });
    expect(await column('SELECT COUNT(*) FROM tstspent')).toEqual([kept.length]);
  });

  test('holds up no refresh: a claim commits while a batch is being deleted', async () => {
    const valid = await insertToken();
    for (let old = 0; old < 3; old++) await insertToken({ isvalid: 0, createdtime: daysAgo(60) });
    for (const tokendid of [99, 98]) await insertSpent(tokendid, { createdtime: daysAgo(500) });
    const claimed = await insertSpent(valid, { createdtime: daysAgo(500) });
    await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
    const alone = await insertToken({ tokenauth: 'b' });
    const pruning = await database.connect();
    for (const title of ['Prune the history', 'Prune replaced tokens', 'Prune fingerprints']) {
      const [set = '', isolation = '', ...rest] = documentedSql('operations.md', title);
      for (const sql of [set, isolation, 'START TRANSACTION', ...rest]) await pruning.query(sql);
      await connection.query('SET SESSION innodb_lock_wait_timeout = 1');
      for (const version of [valid, alone]) {
        await connection.query("UPDATE tsttoken SET state = 'claimed', uc = uc + 1 WHERE tokendid = ? AND state IN ('idle', 'claimed')", [version]);
        await insertSpent(version);
      }
      await connection.query('UPDATE tstspent SET epoch = epoch + 1 WHERE fingerprint = ?', [claimed]);
      await insert('tstevent', { jobname: 'a claim', event: '1', status: '1' });
      await pruning.query('ROLLBACK');
    }
  });
});

describe('what is run after a restore', () => {
  const stopped = '2026-01-31 03:00:00';
  const at = Date.parse('2026-01-31T03:00:00Z');
  const title = 'No refresh token that may have been used';

  async function stateAfter(values: Values): Promise<unknown> {
    const version = await insertToken(values);
    await run('operations.md', title, { stopped, jitter: 0.1 });
    return (await column(`SELECT state FROM tsttoken WHERE tokendid = ${version}`))[0];
  }

  test.each<[string, Values, string]>([
    ['was due before the stop', { dueat: at - 1000 }, 'stopped'],
    ['a restart of its pool could have made due before the stop', { dueat: at + 359_000 }, 'stopped'],
    ['was not planned yet', { dueat: null }, 'stopped'],
    ['was claimed', { dueat: at + 3_600_000, state: 'claimed', attempt: 'c'.repeat(32) }, 'stopped'],
    ['was due after the stop', { dueat: at + 361_000 }, 'idle'],
    ['was sent', { dueat: at - 1000, state: 'sending', attempt: 'd'.repeat(32) }, 'sending'],
    ['is in doubt', { dueat: at - 1000, state: 'in_doubt', attempt: 'e'.repeat(32) }, 'in_doubt'],
  ])('a token that %s', async (_which, values, state) => {
    expect(await stateAfter(values)).toBe(state);
  });

  test('leaves tokens alone whose provider does not rotate, and replaced ones', async () => {
    expect(await stateAfter({ dueat: at - 1000, isvalid: 0 })).toBe('idle');
    await connection.query("UPDATE tsxwho SET providerpolicy = 'non_rotating'");
    expect(await stateAfter({ dueat: at - 1000 })).toBe('idle');
  });

  test('shows each stopped token, the most urgent first', async () => {
    const late = await insertToken({ dueat: at, createdtime: daysAgo(0.001) });
    const early = await insertToken({ dueat: at, createdtime: daysAgo(0.01) });
    await insertToken({ dueat: at + 10 ** 12 });
    await run('operations.md', title, { stopped, jitter: 0 });
    expect(((await run('operations.md', 'What needs a new grant')) as RowDataPacket[]).map(({ tokendid }): unknown => tokendid)).toEqual([early, late]);
  });
});

describe('what the upgrade asks', () => {
  test('how long the old service stays quiet, and what it is at', async () => {
    await insertToken({ createdtime: daysAgo(0), tokenvalidity: 3_600_000 });
    const underWay = await insertToken({ createdtime: daysAgo(1), tokenauth: 'b' });
    const [first, second, ...rest] = (await run('upgrade.md', 'What the old service refreshes next')) as { tokendid: number; due_in_s: number }[];
    expect(rest).toEqual([]);
    expect([first!.tokendid, Number(first!.due_in_s) < 0, Math.abs(Number(second!.due_in_s) - 3595) < 60]).toEqual([underWay, true, true]);
  });

  test('slots without a valid row, and no others', async () => {
    const replaced = await insertToken({ isvalid: 0 });
    await insertToken({ parenttokendid: replaced });
    await insertToken({ isvalid: 0, tokenauth: 'renewed by hand' });
    await insertToken({ tokenauth: 'renewed by hand' });
    const lost = await insertToken({ isvalid: 0, tokenauth: 'lost' });
    expect(await run('upgrade.md', 'Slots without a valid row')).toMatchObject([{ ownerid: 'gw', tokendid: lost }]);
  });

  test('what must not go back to the old service', async () => {
    for (const [index, state] of ['idle', 'claimed', 'sending', 'in_doubt', 'stopped', 'dead'].entries()) await insertToken({ state, tokenauth: String(index), accesstoken: `sealed:v1:1:${state}` });
    const [both] = (await run('upgrade.md', 'Refreshes under way')) as { under_way: number; sealed: number }[];
    expect([Number(both!.under_way), Number(both!.sealed)]).toEqual([2, 6]);
    await run('upgrade.md', 'Rows that the old service would refresh');
    expect(await column('SELECT state FROM tsttoken WHERE isvalid = 1 ORDER BY tokendid')).toEqual(['idle', 'claimed', 'sending']);
  });
});
