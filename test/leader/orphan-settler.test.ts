import { beforeEach, expect, test } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { CommitUnknown, StoreUnavailable } from '../../src/domain/errors.ts';
import type { Token } from '../../src/domain/token.ts';
import { OrphanSettler } from '../../src/leader/orphan-settler.ts';
import type { ClaimTable } from '../../src/mysql/claims.ts';
import { markSending } from '../../src/mysql/mark-sending.ts';
import { liveView } from '../../src/pool/live-view.ts';
import type { RefreshCause } from '../../src/pool/refresh-subject.ts';
import { FailureSettler } from '../../src/pool/settle-failure.ts';
import { useRedis } from '../harness/redis.ts';
import { newAttempt, silent, useTokenDatabase, type Columns } from '../mysql/token-database.ts';
import { verbsOn, type VerbsOnStores } from '../pool/verbs-on-stores.ts';
import { useClients } from '../redis/clients.ts';

const database = useTokenDatabase();
const redis = useRedis();
const connect = useClients();
const longestRequestMs = 1000;
let verbs: VerbsOnStores;
let asked: [number, string][];

beforeEach(async () => {
  verbs = await verbsOn({ database: database(), redisUrl: redis().url, connect });
  asked = [];
});

function settler(parts: VerbsOnStores = verbs): OrphanSettler {
  return new OrphanSettler({ ...parts, logger: silent, longestRequestMs, startRefresh: (token: Token, cause: RefreshCause) => { asked.push([token.version, cause]); } });
}

/** A token whose request was sent `ageMs` ago by a node that is gone, and a second one of the same owner. */
async function leftSending(ageMs: number, owner: Columns = {}): Promise<{ ownerDid: number; left: number; ownerId: string }> {
  const ownerDid = await database().addOwner(owner);
  const left = await database().addToken(ownerDid);
  await database().addToken(ownerDid, { tokenauth: 'b3RoZXI6c2VjcmV0' });
  const claim = { version: left, ownerDid, attempt: newAttempt(), epoch: await verbs.terms.begin(10_000) };
  expect(await verbs.claims.claim(await database().token(left), claim)).toBe('claimed');
  const pool = await verbs.owners.byDid(database().db, ownerDid);
  if (!pool) throw new Error('no owner');
  const view = liveView(pool, await database().token(left), await database().tokens.ofOwner(database().db, ownerDid), verbs.clock.now());
  expect(view.phase).toBe('withdrawn');
  await verbs.publisher.publish(pool.id, view);
  expect(await markSending(database().db, claim)).toBe(true);
  await database().rows.query('UPDATE tsttoken t JOIN tstspent s ON s.attempt = t.attempt SET t.statesince = NOW(3) - INTERVAL ? MICROSECOND, s.createdtime = t.statesince WHERE t.tokendid = ?', [ageMs * 1000, left]);
  return { ownerDid, left, ownerId: pool.id };
}

async function stateOf(version: number): Promise<string> {
  return String((await database().row(version))['state']);
}

test('a request that a node left behind comes into doubt, people are told, and its access token goes back to callers', async () => {
  const { left, ownerId } = await leftSending(longestRequestMs + 500);
  await settler().settleAll();
  expect(await stateOf(left)).toBe('in_doubt');
  expect(verbs.alarms.heard.map(({ token, next }) => [token.version, next.step])).toEqual([[left, 'doubt']]);
  const slots = await verbs.livePool.tokensOf(ownerId);
  expect(slots.filter(({ version }) => version === left).map(({ phase }) => phase)).toEqual(['ready']);
});

test('a request that may still be under way is left alone', async () => {
  const { left } = await leftSending(0);
  await settler().settleAll();
  expect(await stateOf(left)).toBe('sending');
});

test('a provider that may be asked again is asked, and nobody waits for its answer', async () => {
  const { left } = await leftSending(longestRequestMs + 500, { providerpolicy: 'non_rotating' });
  await settler().settleAll();
  expect(asked).toEqual([[left, 'doubt']]);
});

test('a claim that a node left behind unsent is taken back, and its refresh begins at once', async () => {
  const ownerDid = await database().addOwner();
  const left = await database().addToken(ownerDid);
  const claim = { version: left, ownerDid, attempt: newAttempt(), epoch: await verbs.terms.begin(10_000) };
  expect(await verbs.claims.claim(await database().token(left), claim)).toBe('claimed');
  await settler().settleAll();
  expect(await stateOf(left)).toBe('idle');
  expect(asked).toContainEqual([left, 'due']);
});

test('where the record goes away in the middle, the round ends; the next one settles what is left', async () => {
  const { left } = await leftSending(longestRequestMs + 500);
  const { host, user, password, schema } = database().schema;
  const outcomesDb = database().open({ host, port: 1, user, password: new Secret(password), schema });
  const cutOff = await verbsOn({ database: database(), redisUrl: redis().url, connect, outcomesDb });
  await expect(settler(cutOff).settleAll()).rejects.toBeInstanceOf(StoreUnavailable);
  expect(await stateOf(left)).toBe('sending');
  await settler().settleAll();
  expect(await stateOf(left)).toBe('in_doubt');
});

test('people are told of a doubt though nobody knew at first whether it was committed, once, and its access token goes back', async () => {
  const { left, ownerId } = await leftSending(longestRequestMs + 500);
  let isUnknown = true;
  const claims = Object.assign(Object.create(verbs.claims) as ClaimTable, {
    markInDoubt: async (...args: Parameters<ClaimTable['markInDoubt']>) => {
      const marked = await verbs.claims.markInDoubt(...args);
      if (isUnknown) throw new CommitUnknown();
      return marked;
    },
  });
  const orphans = settler({ ...verbs, failures: new FailureSettler({ ...verbs, claims, logger: silent }) });
  await expect(orphans.settleAll()).rejects.toBeInstanceOf(CommitUnknown);
  expect([await stateOf(left), verbs.alarms.heard]).toEqual(['in_doubt', []]);
  isUnknown = false;
  for (let round = 0; round < 2; round++) await orphans.settleAll();
  expect(verbs.alarms.heard.map(({ token, next }) => [token.version, next.step])).toEqual([[left, 'doubt']]);
  const slots = await verbs.livePool.tokensOf(ownerId);
  expect(slots.filter(({ version }) => version === left).map(({ phase }) => phase)).toEqual(['ready']);
});
