import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { createDatabase, type TestDatabase } from '../../harness/database.ts';
import type { MariaDb } from '../../harness/stores.ts';
import { SystemOfRecord } from '../../harness/system-of-record.ts';
import { installHistory, readHistory, type History } from './history.ts';

let db: TestDatabase;
let connection: Connection;

beforeAll(async () => {
  db = await createDatabase();
  connection = await db.connect();
  const record = new SystemOfRecord(db as unknown as MariaDb, () => db.connect());
  await record.addOwner({ ownerId: 'acme', grants: [{ tokenAuth: 'auth', accessToken: 'at_1_1_', refreshToken: 'rt_1_1_', expiresInMs: 1000, tokenUrl: 'http://127.0.0.1:1/' }] });
  await installHistory(record);
});
afterAll(() => db.drop());

let before: History;
beforeEach(async () => { before = await readHistory(connection); });

async function writtenSince(): Promise<History> {
  const { changes, terms } = await readHistory(connection);
  return { changes: changes.slice(before.changes.length), terms: terms.slice(before.terms.length) };
}

it('begins with what stood there', () => {
  expect(before.changes).toMatchObject([{ version: 1, ownerDid: 1, parent: null, from: undefined, to: { isValid: true, state: 'idle', attempt: null } }]);
  expect(before.terms).toMatchObject([{ epoch: 0 }]);
  expect(Math.abs(before.changes[0]!.at - Date.now())).toBeLessThan(30_000);
});

it('has each change of a state, with what was before, in the order of the changes', async () => {
  await connection.query("UPDATE tsttoken SET state = 'claimed', attempt = REPEAT('a', 32), attemptepoch = 7 WHERE tokendid = 1");
  await connection.query('UPDATE tstepoch SET epoch = 8');
  await connection.query("UPDATE tsttoken SET state = 'idle', attempt = NULL, retrycount = 1 WHERE tokendid = 1");
  const { changes, terms } = await writtenSince();
  const attempt = 'a'.repeat(32);
  expect(changes).toMatchObject([
    { from: { isValid: true, state: 'idle', attempt: null }, to: { isValid: true, state: 'claimed', attempt }, epoch: 7, retryCount: 0 },
    { from: { isValid: true, state: 'claimed', attempt }, to: { isValid: true, state: 'idle', attempt: null }, retryCount: 1 },
  ]);
  expect(terms).toMatchObject([{ epoch: 8 }]);
  expect([changes[0]!.id, terms[0]!.id, changes[1]!.id]).toEqual([changes[0]!.id, changes[0]!.id + 1, changes[0]!.id + 2]);
});

it('has a child with its parent, and the parent that was made invalid', async () => {
  await connection.query('UPDATE tsttoken SET isvalid = 0 WHERE tokendid = 1');
  await connection.query("INSERT INTO tsttoken (tsxwhodid, tokenauth, tokenvalidity, parenttokendid, isvalid) VALUES (1, 'auth', 1, 1, 1)");
  expect((await writtenSince()).changes).toMatchObject([{ version: 1, from: { isValid: true }, to: { isValid: false } }, { version: 2, parent: 1, from: undefined, to: { isValid: true } }]);
});

it('has nothing of what was rolled back, nor of what changes no state', async () => {
  await connection.query('START TRANSACTION');
  await connection.query("UPDATE tsttoken SET state = 'dead' WHERE isvalid = 1");
  await connection.query('UPDATE tstepoch SET epoch = epoch + 1');
  await connection.query('ROLLBACK');
  await connection.query('UPDATE tsttoken SET dueat = 1, uc = uc + 1, accesstoken = NULL');
  await connection.query('UPDATE tstepoch SET leaseuntil = 1');
  expect(await writtenSince()).toEqual({ changes: [], terms: [] });
});
