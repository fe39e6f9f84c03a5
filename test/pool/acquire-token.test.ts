import { randomUUID } from 'node:crypto';

import { beforeEach, expect, test } from 'vitest';

import { TokenAcquirer, type WaitRules } from '../../src/pool/acquire-token.ts';
import { NearCache } from '../../src/pool/near-cache.ts';
import { TokenLookup } from '../../src/pool/token-lookup.ts';
import { OwnerTable } from '../../src/mysql/owners.ts';
import { LivePool } from '../../src/redis/live-pool.ts';
import { LiveTokenCode } from '../../src/redis/live-token-code.ts';
import { ClusterClock } from '../../src/runtime/clock.ts';
import { useRedis } from '../harness/redis.ts';
import { clear, silent, useTokenDatabase } from '../mysql/token-database.ts';
import { untilReady, useClients } from '../redis/clients.ts';

const database = useTokenDatabase();
const redis = useRedis();
const connect = useClients();
const metrics = { read: () => undefined, waitBegan: () => undefined, waitEnded: () => undefined };
const patient: WaitRules = { longestMs: 2000, lookEveryMs: 200, looks: Infinity };

const clock = new ClusterClock();
let looks = 0;
let cache: NearCache;
let acquirer: TokenAcquirer;

beforeEach(async () => {
  looks = 0;
  cache = new NearCache(clock, () => true);
  acquirer = await acquirerWith(patient);
});

async function acquirerWith(rules: WaitRules): Promise<TokenAcquirer> {
  const reads = await untilReady(connect({ url: redis().url }, 'read'));
  const writes = await untilReady(connect({ url: redis().url }, 'write'));
  const db = database().open({ observe: (operation) => { if (operation === 'tokens.ofOwner') looks++; } });
  const livePool = new LivePool(reads, writes, `test-${randomUUID()}`, new LiveTokenCode(clear), () => undefined);
  const lookup = new TokenLookup({ livePool, db, owners: new OwnerTable({ retryMax: 1, retryDelayMs: 1 }), tokens: database().tokens }, cache, clock, silent);
  return new TokenAcquirer(cache, lookup, rules, clock, metrics);
}

async function ownerWithoutUsableToken(): Promise<{ id: string; did: number }> {
  const id = `owner-${randomUUID()}`;
  const did = await database().addOwner({ ownerid: id });
  await database().addToken(did, { tokenvalidity: 1 });
  return { id, did };
}

test('callers that wait for the same owner do not wake one another: the stores are asked as often as for one', async () => {
  const { id } = await ownerWithoutUsableToken();
  const waiting = Array.from({ length: 20 }, async (_, index) => {
    await clock.sleep(index * 10);
    return acquirer.acquire(id, new AbortController().signal);
  });
  const ends = await Promise.allSettled(waiting);
  expect(ends.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 'rejected'));
  expect(looks).toBeLessThan(100);
});

test('a caller that waits is served the moment another looks and finds a token', async () => {
  const { id, did } = await ownerWithoutUsableToken();
  const seldom = await acquirerWith({ longestMs: 5000, lookEveryMs: 4000, looks: 1 });
  const begun = performance.now();
  const waiting = seldom.acquire(id, new AbortController().signal);
  await clock.sleep(100);
  await database().addToken(did, { tokenauth: 'b3RoZXI6Y2xpZW50', accesstoken: 'fresh' });
  expect(await acquirer.acquire(id, new AbortController().signal)).toBe('fresh');
  expect(await waiting).toBe('fresh');
  expect(performance.now() - begun).toBeLessThan(3000);
});
