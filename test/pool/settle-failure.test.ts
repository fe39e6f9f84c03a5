import { beforeEach, describe, expect, test } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { markSending } from '../../src/mysql/mark-sending.ts';
import type { RefreshFailure } from '../../src/domain/refresh-outcome.ts';
import type { Subject } from '../../src/pool/refresh-subject.ts';
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

test('nobody is told of a doubt where the answer has been recorded meanwhile, or nothing was sent', async () => {
  const ownerDid = await database().addOwner();
  const version = await database().addToken(ownerDid);
  const owner = await verbs.owners.byDid(database().db, ownerDid);
  const token = await database().token(version);
  const claim = { version, ownerDid, attempt: newAttempt(), epoch: await verbs.terms.begin(10_000) };
  const inDoubt = (): Promise<unknown> => verbs.failures.settle({ kind: 'subject', owner: owner!, token, siblings: [token] } as Subject, claim, { kind: 'in_doubt', status: null, detail: '' }, false);
  expect(await verbs.claims.claim(token, claim)).toBe('claimed');
  await inDoubt();
  expect([(await database().row(version))['state'], verbs.alarms.heard]).toEqual(['claimed', []]);
  expect(await markSending(database().db, claim)).toBe(true);
  await verbs.redeemer.redeem({ ...claim, issuedAt: Math.floor(verbs.clock.now()), accessToken: new Secret('at'), refreshToken: new Secret('rt'), validityMs: 60_000 });
  await inDoubt();
  expect(verbs.alarms.heard).toEqual([]);
});

describe('a grant', () => {
  const nextTerm = 'next term';

  /** What the row is after these answers of its provider, one attempt each. */
  async function stateAfter(...failures: readonly (RefreshFailure | typeof nextTerm)[]): Promise<unknown> {
    const ownerDid = await database().addOwner({ retrymax: 5 });
    const version = await database().addToken(ownerDid);
    const owner = await verbs.owners.byDid(database().db, ownerDid);
    const epoch = await verbs.terms.begin(10_000);
    for (const failure of failures) {
      if (failure === nextTerm) {
        verbs.failures.forgetRefusals();
        continue;
      }
      const token = await database().token(version);
      const claim = { version, ownerDid, attempt: newAttempt(), epoch };
      expect(await verbs.claims.claim(token, claim)).toBe('claimed');
      await verbs.failures.settle({ kind: 'subject', owner: owner!, token, siblings: [token] } as Subject, claim, failure, false);
    }
    return (await database().row(version))['state'];
  }

  const unavailable: RefreshFailure = { kind: 'unavailable', status: 503, retryAfterMs: null, detail: '' };
  const invalidGrant: RefreshFailure = { kind: 'invalid_grant', status: 400, detail: '' };

  test('is dead when invalid_grant was heard twice, whatever else was heard between', async () => {
    expect(await stateAfter(invalidGrant, invalidGrant)).toBe('dead');
    expect(await stateAfter(invalidGrant, unavailable, invalidGrant)).toBe('dead');
  });

  test('is not dead when it was heard in two terms: its pool may have been restarted between them', async () => {
    expect(await stateAfter(invalidGrant, nextTerm, invalidGrant)).toBe('idle');
    expect(await stateAfter(invalidGrant, nextTerm, invalidGrant, invalidGrant)).toBe('dead');
  });

  test('is not dead when it was heard once, after another failure', async () => {
    expect(await stateAfter(unavailable, invalidGrant)).toBe('idle');
  });
});
