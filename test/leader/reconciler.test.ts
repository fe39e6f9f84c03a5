import { beforeEach, expect, test } from 'vitest';

import { OrphanSettler } from '../../src/leader/orphan-settler.ts';
import { PendingRedeemer } from '../../src/leader/pending-redeemer.ts';
import { PoolBuilder } from '../../src/leader/pool-builder.ts';
import { Reconciler } from '../../src/leader/reconciler.ts';
import { PoolRecord } from '../../src/pool/pool-record.ts';
import type { Term } from '../../src/pool/term.ts';
import type { Clock } from '../../src/runtime/clock.ts';
import { Metrics } from '../../src/runtime/metrics.ts';
import { useRedis } from '../harness/redis.ts';
import { silent, useTokenDatabase } from '../mysql/token-database.ts';
import { verbsOn, type VerbsOnStores } from '../pool/verbs-on-stores.ts';
import { untilReady, useClients } from '../redis/clients.ts';

const database = useTokenDatabase();
const redis = useRedis();
const connect = useClients();
const metrics = new Metrics({ version: 'test', runtime: false });
const term: Term = { epoch: 1, isTrusted: () => true, signal: new AbortController().signal };
let verbs: VerbsOnStores;
let started: number[];

beforeEach(async () => {
  verbs = await verbsOn({ database: database(), redisUrl: redis().url, connect });
  started = [];
});

function recordOf({ db, owners, tokens, clock }: VerbsOnStores): PoolRecord {
  return new PoolRecord(db, owners, tokens, clock);
}

function reconciler(record = recordOf(verbs), clock: Clock = verbs.clock): Reconciler {
  const { pending, redeemer, endRedeemer, attempts, transit } = verbs;
  const startRefresh = ({ version }: { version: number }): void => { started.push(version); };
  return new Reconciler({
    ...verbs,
    builder: new PoolBuilder({ ...verbs, record }),
    orphans: new OrphanSettler({ ...verbs, logger: silent, longestRequestMs: 1000, startRefresh }),
    pending: new PendingRedeemer(pending, redeemer, endRedeemer, attempts, transit, silent, metrics),
    clock,
    logger: silent,
    metrics,
    isUnderWay: () => false,
    startRefresh,
  });
}

test('a round starts what is due and has no alarm, however long the comparison of the whole pool takes', async () => {
  const version = await database().addToken(await database().addOwner(), { dueat: 1000 });
  const { promise: never } = Promise.withResolvers<never>();
  const slow = recordOf(verbs);
  slow.read = () => never;
  const onLargePool = reconciler(slow);
  void onLargePool.survey(term);
  await onLargePool.round(term);
  expect(started).toContain(version);
});

test('as a term begins rounds follow quickly and start all that is due, and later ones only what has no alarm that works', async () => {
  let aheadMs = 0;
  const { clock } = verbs;
  const onTerm = reconciler(recordOf(verbs), { now: () => clock.now(), monotonic: () => clock.monotonic() + aheadMs, random: () => clock.random(), sleep: (ms, signal) => clock.sleep(ms, signal) });
  expect(onTerm.restMs(1000)).toBe(1000);
  const now = Math.floor(verbs.clock.now());
  const first = await database().addToken(await database().addOwner(), { dueat: now - 100 });
  await onTerm.round(term);
  expect(started).toContain(first);
  expect(onTerm.restMs(1000)).toBe(25);
  const soonAfter = await database().addToken(await database().addOwner(), { dueat: now - 100 });
  await onTerm.round(term);
  expect(started).toContain(soonAfter);
  aheadMs = 1100;
  expect(onTerm.restMs(1000)).toBe(1000);
  const second = await database().addToken(await database().addOwner(), { dueat: now - 100 });
  const overdue = await database().addToken(await database().addOwner(), { dueat: now - 2000 });
  started.length = 0;
  await onTerm.round(term);
  expect(started).toContain(overdue);
  expect(started).not.toContain(second);
  await onTerm.round({ ...term, epoch: 2 });
  expect(started).toContain(second);
});

test('a survey takes rows in that were inserted, and builds a pool that Redis has lost', async () => {
  const ownerDid = await database().addOwner();
  const version = await database().addToken(ownerDid);
  const { id } = (await verbs.owners.byDid(database().db, ownerDid)) ?? { id: '' };
  await reconciler().survey(term);
  expect((await database().row(version))['dueat']).toBeGreaterThan(0);
  expect((await verbs.livePool.tokensOf(id)).map((token) => token.version)).toEqual([version]);
  await redis().restart({ empty: true });
  await expect.poll(() => verbs.livePool.isBuilt().catch(() => undefined), { timeout: 5000 }).toBe(false);
  await expect.poll(() => verbs.livePool.tokensOf(id).catch(() => undefined), { timeout: 5000 }).toEqual([]);
  await reconciler().survey(term);
  expect((await verbs.livePool.tokensOf(id)).map((token) => token.version)).toEqual([version]);
  expect(await verbs.livePool.isBuilt()).toBe(true);
});

test('a survey after a lost connection puts back what the server in the place of the lost one lacks, and its job', async () => {
  const ownerDid = await database().addOwner();
  const version = await database().addToken(ownerDid);
  const { id } = (await verbs.owners.byDid(database().db, ownerDid)) ?? { id: '' };
  const onTerm = reconciler();
  await onTerm.survey(term);
  const inside = connect({ url: redis().url }, 'write');
  await expect.poll(() => inside.ping().catch(() => undefined)).toBe('PONG');
  await inside.del((await inside.keys('*')).filter((key) => !key.endsWith(':built')));
  await onTerm.survey(term);
  expect(await verbs.livePool.tokensOf(id)).toEqual([]);
  await inside.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await expect.poll(async () => {
    await onTerm.survey(term);
    return (await verbs.livePool.tokensOf(id).catch(() => [])).map((token) => token.version);
  }, { timeout: 8000, interval: 200 }).toEqual([version]);
  expect(await inside.keys(`*:t${String(version)}-*`)).toHaveLength(1);
});

test('a term begins with a comparison, however short the last one is ago', async () => {
  const ownerDid = await database().addOwner();
  const version = await database().addToken(ownerDid);
  const { id } = (await verbs.owners.byDid(database().db, ownerDid)) ?? { id: '' };
  const onTerm = reconciler();
  await onTerm.survey(term);
  const inside = await untilReady(connect({ url: redis().url }, 'write'));
  await inside.del((await inside.keys('*')).filter((key) => !key.endsWith(':built')));
  await onTerm.survey(term);
  expect(await verbs.livePool.tokensOf(id)).toEqual([]);
  await onTerm.survey({ ...term, epoch: 2 });
  expect((await verbs.livePool.tokensOf(id)).map((token) => token.version)).toEqual([version]);
});

test('a term that is over begins nothing more', async () => {
  await database().addToken(await database().addOwner(), { dueat: 1000 });
  const over = { ...term, signal: AbortSignal.abort() };
  await reconciler().round(over);
  await reconciler().survey(over);
  expect(started).toEqual([]);
});
