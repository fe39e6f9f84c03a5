import { beforeEach, expect, test } from 'vitest';

import type { LiveToken } from '../../src/domain/token.ts';
import { useRedis } from '../harness/redis.ts';
import { useTokenDatabase } from '../mysql/token-database.ts';
import { untilReady, useClients } from '../redis/clients.ts';
import { verbsOn, type VerbsOnStores } from './verbs-on-stores.ts';

const database = useTokenDatabase();
const redis = useRedis();
const connect = useClients();
let verbs: VerbsOnStores;

beforeEach(async () => {
  verbs = await verbsOn({ database: database(), redisUrl: redis().url, connect });
});

function token(version: number): LiveToken {
  return { slot: 'a', version, uc: 0, phase: 'ready', expiresAt: verbs.clock.now() + 3_600_000, accessToken: `access ${String(version)}` };
}

/** Publishes while Redis is away, and has Redis come back empty. */
async function missed(version: number): Promise<void> {
  await redis().kill();
  expect(await verbs.publisher.publish('owner', token(version))).toBe(false);
  await redis().restart({ empty: true });
  await expect.poll(() => verbs.livePool.tokensOf('owner').catch(() => undefined), { timeout: 5000 }).toEqual([]);
  await untilReady(verbs.writes);
}

const versions = async (ownerId = 'owner'): Promise<number[]> => (await verbs.livePool.tokensOf(ownerId)).map(({ version }) => version);

test('what Redis missed is published when it is back', async () => {
  await missed(7);
  await expect.poll(async () => {
    await verbs.publisher.retry();
    return versions().catch(() => []);
  }, { timeout: 5000 }).toEqual([7]);
});

test('what Redis missed meanwhile of a token is not lost with what it had missed before', async () => {
  await redis().kill();
  await verbs.publisher.publish('first', token(5));
  await verbs.publisher.publish('second', token(8));
  await redis().restart({ empty: true });
  await expect.poll(() => verbs.livePool.tokensOf('second').catch(() => undefined), { timeout: 5000 }).toEqual([]);
  await untilReady(verbs.writes);
  const poolOfSecond = `${verbs.prefix}:pool:{second}`;
  await verbs.writes.set(poolOfSecond, 'no pool, so that nothing can be put into it');
  const retried = verbs.publisher.retry();
  expect(await verbs.publisher.publish('second', token(9))).toBe(false);
  await retried;
  await verbs.writes.del(poolOfSecond);
  await verbs.publisher.retry();
  expect(await versions('second')).toEqual([9]);
});

test('what Redis missed is not published any more when the token has been replaced since', async () => {
  await missed(7);
  verbs.cache.hear('owner', token(8));
  await verbs.publisher.retry();
  expect(await versions()).toEqual([]);
});

test('what Redis missed is not published any more when its owner has been found without tokens', async () => {
  await missed(7);
  verbs.cache.forget('owner');
  await verbs.publisher.retry();
  expect(await versions()).toEqual([]);
});

test('that a token is gone is published also when its owner has been found without tokens', async () => {
  const phases = async (): Promise<string[]> => (await verbs.livePool.tokensOf('owner')).map(({ phase }) => phase);
  await verbs.publisher.publish('owner', token(7));
  await verbs.writes.config('SET', 'min-replicas-to-write', '1');
  expect(await verbs.publisher.publish('owner', { ...token(7), uc: 1000, phase: 'gone', accessToken: '' })).toBe(false);
  verbs.cache.forget('owner');
  await verbs.writes.config('SET', 'min-replicas-to-write', '0');
  expect(await phases()).toEqual(['ready']);
  await verbs.publisher.retry();
  expect(await phases()).toEqual(['gone']);
});
