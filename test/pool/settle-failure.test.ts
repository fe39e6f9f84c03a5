import { beforeEach, expect, test } from 'vitest';

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

test('a token is not given back to callers after the next attempt on it has begun', async () => {
  const ownerDid = await database().addOwner();
  const version = await database().addToken(ownerDid);
  await database().addToken(ownerDid, { tokenauth: 'b3RoZXI6c2VjcmV0' });
  const owner = await verbs.owners.byDid(database().db, ownerDid);
  if (!owner) throw new Error('no owner');
  const next = { version, ownerDid, attempt: newAttempt(), epoch: await verbs.terms.begin(10_000) };
  expect(await verbs.claims.claim(await database().token(version), next)).toBe('claimed');
  await verbs.failures.republish(owner, version);
  const ready = (await verbs.livePool.tokensOf(owner.id)).filter(({ phase }) => phase === 'ready');
  expect(ready).toEqual([]);
});
