import { beforeEach, expect, test } from 'vitest';

import { PoolBuilder } from '../../src/leader/pool-builder.ts';
import { PoolRecord } from '../../src/pool/pool-record.ts';
import { PoolRestarter } from '../../src/pool/restart-pool.ts';
import { useRedis } from '../harness/redis.ts';
import { newAttempt, silent, useTokenDatabase } from '../mysql/token-database.ts';
import { verbsOn, type VerbsOnStores } from '../pool/verbs-on-stores.ts';
import { useClients } from '../redis/clients.ts';

const database = useTokenDatabase();
const redis = useRedis();
const connect = useClients();
const { signal } = new AbortController();
let verbs: VerbsOnStores;

beforeEach(async () => {
  verbs = await verbsOn({ database: database(), redisUrl: redis().url, connect });
});

async function compare(): Promise<void> {
  const { db, owners, tokens, clock } = verbs;
  const builder = new PoolBuilder({ ...verbs, record: new PoolRecord(db, owners, tokens, clock) });
  const { entries, shadowed } = await builder.build(false, signal);
  await builder.sweep(entries, signal);
  await builder.supersede(shadowed, signal);
}

async function ownerWithToken(): Promise<{ id: string; ownerDid: number; version: number }> {
  const ownerDid = await database().addOwner();
  const version = await database().addToken(ownerDid);
  await compare();
  return { id: (await verbs.owners.byDid(database().db, ownerDid))?.id ?? '', ownerDid, version };
}

/** What callers can get, by the live pool and by a near-cache that heard everything. */
async function handedOut(id: string): Promise<[number, boolean]> {
  const ready = (await verbs.livePool.tokensOf(id)).filter(({ phase }) => phase === 'ready');
  return [ready.length, verbs.cache.anyUsable(id) !== undefined];
}

async function set(table: string, column: string, id: number, isValid: 0 | 1): Promise<void> {
  await database().rows.query(`UPDATE ${table} SET isvalid = ? WHERE ${column} = ?`, [isValid, id]);
}

async function restart(id: string): Promise<void> {
  await new PoolRestarter({ ...verbs, logger: silent }).restart(id);
}

test('the only token of an owner leaves the pool when its row is made invalid', async () => {
  const { id, version } = await ownerWithToken();
  expect(await handedOut(id)).toEqual([1, false]);
  await set('tsttoken', 'tokendid', version, 0);
  await compare();
  expect(await handedOut(id)).toEqual([0, false]);
});

test('the tokens of an owner leave the pool when the owner is made invalid', async () => {
  const { id, ownerDid } = await ownerWithToken();
  await set('tsxwho', 'tsxwhodid', ownerDid, 0);
  await compare();
  expect(await handedOut(id)).toEqual([0, false]);
});

test('a restart of the pool brings back what was made invalid and valid again', async () => {
  const { id, version } = await ownerWithToken();
  await set('tsttoken', 'tokendid', version, 0);
  await compare();
  await set('tsttoken', 'tokendid', version, 1);
  await restart(id);
  expect(await handedOut(id)).toEqual([1, true]);
});

test('so does the next comparison, without a restart, and as often as it happens', async () => {
  const { id, ownerDid } = await ownerWithToken();
  for (const round of [1, 2, 3]) {
    await set('tsxwho', 'tsxwhodid', ownerDid, 0);
    await compare();
    expect([round, ...(await handedOut(id))]).toEqual([round, 0, false]);
    await set('tsxwho', 'tsxwhodid', ownerDid, 1);
    await compare();
    expect([round, ...(await handedOut(id))]).toEqual([round, 1, true]);
  }
});

test('a row that stayed valid behind a newer one of its slot is superseded, and told of', async () => {
  const { ownerDid, version } = await ownerWithToken();
  await database().rows.query("UPDATE tsttoken SET state = 'in_doubt', attempt = ? WHERE tokendid = ?", [newAttempt(), version]);
  const newer = await database().addToken(ownerDid, { dueat: Date.now() + 60_000 });
  await compare();
  expect(await database().row(version)).toMatchObject({ valid: 0, state: 'idle' });
  expect((await database().row(newer))['valid']).toBe(1);
  expect(await database().select('SELECT 1 FROM tstevent WHERE text LIKE ?', `token ${version} was superseded by a newer token%`)).toHaveLength(1);
});

test('one that cannot be changed holds up no other', async () => {
  const replaced = [await ownerWithToken(), await ownerWithToken()];
  for (const { ownerDid } of replaced) await database().addToken(ownerDid, { dueat: Date.now() + 60_000 });
  await database().rows.query(`CREATE TRIGGER refuses BEFORE UPDATE ON tsttoken FOR EACH ROW IF NEW.tokendid = ${replaced[0]!.version} THEN SIGNAL SQLSTATE '45000'; END IF`);
  await expect(compare()).rejects.toThrow();
  await database().rows.query('DROP TRIGGER refuses');
  expect(await Promise.all(replaced.map(async ({ version }) => (await database().row(version))['valid'] as number))).toEqual([1, 0]);
});

test('but not while its answer is awaited', async () => {
  const { ownerDid, version } = await ownerWithToken();
  await database().rows.query("UPDATE tsttoken SET state = 'sending', attempt = ? WHERE tokendid = ?", [newAttempt(), version]);
  await database().addToken(ownerDid, { dueat: Date.now() + 60_000 });
  await compare();
  expect(await database().row(version)).toMatchObject({ valid: 1, state: 'sending' });
});
