import { beforeEach, expect, test } from 'vitest';

import { markSending } from '../../src/mysql/mark-sending.ts';
import { useRedis } from '../harness/redis.ts';
import { newAttempt, useTokenDatabase } from '../mysql/token-database.ts';
import { useClients } from '../redis/clients.ts';
import { verbsOn, type VerbsOnStores } from './verbs-on-stores.ts';

const database = useTokenDatabase();
const redis = useRedis();
const connect = useClients();
let verbs: VerbsOnStores;

beforeEach(async () => {
  verbs = await verbsOn({ database: database(), redisUrl: redis().url, connect });
});

async function claimed(refreshtoken: string): Promise<{ ownerDid: number; old: { version: number; attempt: string } }> {
  const ownerDid = await database().addOwner();
  const version = await database().addToken(ownerDid, { refreshtoken, dueat: 1 });
  const claim = { version, ownerDid, attempt: newAttempt(), epoch: await verbs.terms.begin(10_000) };
  expect(await verbs.claims.claim(await database().token(version), claim)).toBe('claimed');
  return { ownerDid, old: claim };
}

async function takeIn(ownerDid: number): Promise<void> {
  await verbs.planner.takeIn(await verbs.tokens.unplannedOf(database().db, ownerDid));
}

test('a row inserted while the one before it is drained takes its place: the old refresh token is not sent any more', async () => {
  const { ownerDid, old } = await claimed('rt-old');
  const fresh = await database().addToken(ownerDid, { refreshtoken: 'rt-fresh' });
  await takeIn(ownerDid);
  expect(await markSending(database().db, old)).toBe(false);
  expect((await database().row(old.version))['valid']).toBe(0);
  expect((await verbs.tokens.ofOwner(database().db, ownerDid)).map(({ version }) => version)).toEqual([fresh]);
});

test('the inserted row may hold the same refresh token: it was not sent, so it can still be', async () => {
  const { ownerDid } = await claimed('rt-same');
  const fresh = await database().addToken(ownerDid, { refreshtoken: 'rt-same' });
  await takeIn(ownerDid);
  const claim = { version: fresh, ownerDid, attempt: newAttempt(), epoch: await verbs.terms.begin(10_000) };
  expect(await verbs.claims.claim(await database().token(fresh), claim)).toBe('claimed');
});

test('what was sent already keeps its row until its answer is known', async () => {
  const { ownerDid, old } = await claimed('rt-sent');
  expect(await markSending(database().db, old)).toBe(true);
  await database().addToken(ownerDid);
  await takeIn(ownerDid);
  expect(await database().row(old.version)).toMatchObject({ valid: 1, state: 'sending', attempt: old.attempt });
});

test('a take-in that is broken off leaves the inserted row to the next one, so that the row before it gives way in any case', async () => {
  const { ownerDid, old } = await claimed('rt-broken-off');
  const fresh = await database().addToken(ownerDid);
  await database().rows.query(`CREATE TRIGGER broken_off BEFORE UPDATE ON tsttoken FOR EACH ROW
    IF NEW.tokendid = ${fresh} AND NEW.dueat IS NOT NULL THEN SIGNAL SQLSTATE '45000'; END IF`);
  await expect(takeIn(ownerDid)).rejects.toThrow();
  await database().rows.query('DROP TRIGGER broken_off');
  expect(await database().row(fresh)).toMatchObject({ valid: 1, dueat: null });
  expect((await database().row(old.version))['valid']).toBe(0);
});
