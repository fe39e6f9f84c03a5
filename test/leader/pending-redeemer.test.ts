import { setTimeout as delay } from 'node:timers/promises';

import { beforeEach, expect, test } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { StoreUnavailable } from '../../src/domain/errors.ts';
import { sealAnswer } from '../../src/journal/kept-answer.ts';
import { PendingRedeemer } from '../../src/leader/pending-redeemer.ts';
import { markSending } from '../../src/mysql/mark-sending.ts';
import { AnswerRedeemer } from '../../src/pool/redeem-answer.ts';
import { Limiter } from '../../src/runtime/limiter.ts';
import { Metrics } from '../../src/runtime/metrics.ts';
import { useRedis } from '../harness/redis.ts';
import { newAttempt, silent, useTokenDatabase } from '../mysql/token-database.ts';
import { verbsOn, type VerbsOnStores } from '../pool/verbs-on-stores.ts';
import { useClients } from '../redis/clients.ts';

const database = useTokenDatabase();
const redis = useRedis();
const connect = useClients();
const metrics = new Metrics({ version: 'test', runtime: false });
const { signal } = new AbortController();
let verbs: VerbsOnStores;

beforeEach(async () => {
  verbs = await verbsOn({ database: database(), redisUrl: redis().url, connect });
});

function pendingRedeemer(redeemer = verbs.redeemer): PendingRedeemer {
  return new PendingRedeemer(verbs.pending, redeemer, verbs.attempts, verbs.transit, silent, metrics);
}

/** An attempt whose answer is kept in Redis and nowhere else. */
async function keptInRedis(attempt = newAttempt()): Promise<{ version: number; attempt: string }> {
  const { terms, claims, pending, clock, transit } = verbs;
  const ownerDid = await database().addOwner();
  const token = await database().token(await database().addToken(ownerDid));
  const claim = { version: token.version, ownerDid, attempt, epoch: await terms.begin(10_000) };
  expect(await claims.claim(token, claim)).toBe('claimed');
  expect(await markSending(database().db, claim)).toBe(true);
  const answer = { attempt, version: token.version, ownerDid, issuedAt: Math.floor(clock.now()), accessToken: new Secret(`at-${attempt}`), refreshToken: new Secret(`rt-${attempt}`), validityMs: 3_600_000 };
  await pending.put(attempt, sealAnswer(answer, transit));
  return { version: token.version, attempt };
}

test('an answer that another node kept becomes a token, and is then no longer pending', async () => {
  const { version } = await keptInRedis();
  await pendingRedeemer().redeemAll(signal);
  expect(await database().select('SELECT 1 FROM tsttoken WHERE parenttokendid = ?', version)).toHaveLength(1);
  expect(await verbs.pending.all()).toEqual({});
});

test('what a killed master left is recorded several at a time: what is due waits for it', async () => {
  const kept = [];
  for (let index = 0; index < 12; index++) kept.push(await keptInRedis());
  let [atOnce, most] = [0, 0];
  const slow = Object.assign(Object.create(verbs.redeemer) as AnswerRedeemer, {
    redeem: async (...args: Parameters<AnswerRedeemer['redeem']>) => {
      most = Math.max(most, ++atOnce);
      await delay(20);
      return verbs.redeemer.redeem(...args).finally(() => atOnce--);
    },
  });
  await pendingRedeemer(slow).redeemAll(signal);
  expect(await verbs.pending.all()).toEqual({});
  for (const { version } of kept) expect((await database().row(version))['valid']).toBe(0);
  expect(most).toBe(5);
});

test('an answer that the record refuses stays pending and holds up no other', async () => {
  const kept = [await keptInRedis(), await keptInRedis(), await keptInRedis()] as const;
  const refused = Object.keys(await verbs.pending.all())[0] ?? '';
  await database().rows.query("UPDATE tsttoken SET refreshtoken = 'sealed:v1:unknown:AAAA' WHERE attempt = ?", [refused]);
  await pendingRedeemer().redeemAll(signal);
  const recorded = await database().select('SELECT parenttokendid AS parent FROM tsttoken WHERE parenttokendid IN (?, ?, ?)', ...kept.map(({ version }) => version));
  expect(recorded).toHaveLength(2);
  expect(Object.keys(await verbs.pending.all())).toEqual([refused]);
});

test('while the record is away a round is not held up: the answers stay pending for the next', async () => {
  const { attempt } = await keptInRedis();
  const { host, user, password, schema } = database().schema;
  const away = database().open({ host, port: 1, user, password: new Secret(password), schema });
  const { owners, tokens, outcomes, pending, publisher, scheduler, clock, lapses } = verbs;
  const redeemer = new AnswerRedeemer({ db: away, owners, tokens, outcomes, pending, publisher, scheduler, clock, logger: silent, databaseShare: new Limiter(1), lapses, defaultLifetimeMs: undefined });
  await expect(pendingRedeemer(redeemer).redeemAll(signal)).rejects.toBeInstanceOf(StoreUnavailable);
  expect(Object.keys(await verbs.pending.all())).toEqual([attempt]);
});
