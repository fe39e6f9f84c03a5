import { expect, test, vi } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { markSending } from '../../src/mysql/mark-sending.ts';
import { OutcomeTable } from '../../src/mysql/outcomes.ts';
import { TokenSealing } from '../../src/mysql/token-sealing.ts';
import { liveView } from '../../src/pool/live-view.ts';
import { AnswerRedeemer } from '../../src/pool/redeem-answer.ts';
import { Limiter } from '../../src/runtime/limiter.ts';
import { useRedis } from '../harness/redis.ts';
import { startTcpProxy } from '../harness/tcp-proxy.ts';
import { clear, heldBeforeCommit, newAttempt, silent, useTokenDatabase } from '../mysql/token-database.ts';
import { useClients } from '../redis/clients.ts';
import { verbsOn } from './verbs-on-stores.ts';

const database = useTokenDatabase();
const redis = useRedis();
const connect = useClients();

test('an answer that came is recorded before all that waits for the database', async () => {
  const verbs = await verbsOn({ database: database(), redisUrl: redis().url, connect });
  const databaseShare = new Limiter(1);
  const redeemer = new AnswerRedeemer({ ...verbs, databaseShare, logger: silent, defaultLifetimeMs: undefined });
  const ownerDid = await database().addOwner();
  const token = await database().token(await database().addToken(ownerDid));
  const attempt = { attempt: newAttempt(), version: token.version, ownerDid, issuedAt: Math.floor(verbs.clock.now()) };
  await verbs.claims.claim(token, { ...attempt, epoch: await verbs.terms.begin(60_000) });
  await markSending(database().db, attempt);

  const isRecorded = async (): Promise<boolean> => (await database().row(token.version))['valid'] === 0;
  const gate = Promise.withResolvers<undefined>();
  const held = databaseShare.run(() => gate.promise);
  const others = Array.from({ length: 3 }, () => databaseShare.run(isRecorded));
  const answer = { ...attempt, accessToken: new Secret('at'), refreshToken: new Secret('rt'), validityMs: 3_600_000 };
  const redeemed = redeemer.redeemFor(await verbs.owners.byDid(database().db, ownerDid), [token], answer, false);
  await vi.waitUntil(() => databaseShare.waiting === 4, { timeout: 3000, interval: 5 });
  gate.resolve(undefined);
  expect(await redeemed).toMatchObject({ kind: 'recorded' });
  expect(await Promise.all(others)).toEqual([true, true, true]);
  await held;
});

test('an answer whose COMMIT was carried out and not answered is published all the same, and planned', async () => {
  const verbs = await verbsOn({ database: database(), redisUrl: redis().url, connect });
  const proxy = await startTcpProxy(database().schema.port);
  const fragile = database().open({ host: '127.0.0.1', port: proxy.port, queryTimeoutMs: 500 });
  let commits = 0;
  const losesFirstReply = heldBeforeCommit(fragile, () => { if (commits++ === 0) proxy.blackHole('toClient'); });
  const redeemer = new AnswerRedeemer({ ...verbs, outcomes: new OutcomeTable(losesFirstReply, new TokenSealing(clear)), databaseShare: new Limiter(5), logger: silent, defaultLifetimeMs: undefined });
  const ownerDid = await database().addOwner();
  const token = await database().token(await database().addToken(ownerDid));
  const attempt = { attempt: newAttempt(), version: token.version, ownerDid, issuedAt: Math.floor(verbs.clock.now()) };
  await verbs.claims.claim(token, { ...attempt, epoch: await verbs.terms.begin(60_000) });
  await markSending(database().db, attempt);
  const owner = (await verbs.owners.byDid(database().db, ownerDid))!;
  await verbs.publisher.publish(owner.id, liveView(owner, token, [token], verbs.clock.now()));

  const redeemed = redeemer.redeemFor(owner, [token], { ...attempt, accessToken: new Secret('at-unheard'), refreshToken: new Secret('rt-unheard'), validityMs: 3_600_000 }, false);
  await vi.waitUntil(async () => (await database().row(token.version))['valid'] === 0, { timeout: 3000, interval: 10 });
  await proxy.cut();
  await proxy.restore();
  const result = await redeemed;
  expect(result).toMatchObject({ kind: 'known', version: expect.any(Number) as number });
  expect(await verbs.livePool.tokensOf(owner.id)).toMatchObject([{ accessToken: 'at-unheard', phase: 'ready' }]);
  expect((await verbs.queue.counts()).delayed).toBe(1);
  await proxy.stop();
});
