import { afterEach, beforeEach, expect, test } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { StoreUnavailable } from '../../src/domain/errors.ts';
import type { Database } from '../../src/mysql/connection.ts';
import { OwnerTable } from '../../src/mysql/owners.ts';
import { NearCache } from '../../src/pool/near-cache.ts';
import { PoolRecord } from '../../src/pool/pool-record.ts';
import { WarmUp } from '../../src/pool/warm-up.ts';
import { ClusterClock } from '../../src/runtime/clock.ts';
import { silent, useTokenDatabase } from '../mysql/token-database.ts';

const database = useTokenDatabase();
const owners = new OwnerTable({ retryMax: 1, retryDelayMs: 1000 });
const soon = { timeout: 5000, interval: 10 };
const clock = new ClusterClock();

let healthy: boolean;
let isAway: boolean;
let readAt: number[];
let cache: NearCache;
let warmUp: WarmUp;
let newWarmUp: (options: { patienceMs: number }) => WarmUp;
let ownerId: string;
let ownerDid: number;

beforeEach(async () => {
  healthy = true;
  isAway = false;
  readAt = [];
  cache = new NearCache(clock, () => healthy);
  ownerDid = await database().addOwner();
  ownerId = (await owners.byDid(database().db, ownerDid))?.id ?? '';
  await database().addToken(ownerDid, { accesstoken: 'first' });
  const { host, user, password, schema } = database().schema;
  const [record, away] = [recordOn(database().db), recordOn(database().open({ host, port: 1, user, password: new Secret(password), schema }))];
  const read = (signal?: AbortSignal): ReturnType<PoolRecord['read']> => {
    readAt.push(clock.monotonic());
    return (isAway ? away : record).read(signal);
  };
  newWarmUp = ({ patienceMs }) => new WarmUp({ record: { read }, cache, feedHealthy: () => healthy, patienceMs, clock, logger: silent, timing: { spreadMs: 0, pauseMs: 700 } });
  warmUp = newWarmUp({ patienceMs: 60_000 });
});

afterEach(() => warmUp.stop());

function recordOn(db: Database): PoolRecord {
  return new PoolRecord(db, owners, database().tokens, clock);
}

test('a node knows every owner before it takes load, and reads the record once while the feed works', async () => {
  await warmUp.start();
  expect(cache.anyUsable(ownerId)).toBe('first');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(readAt).toHaveLength(1);
});

test('what the feed missed is known soon, though nobody asks for its owner', async () => {
  await warmUp.start();
  await database().addToken(ownerDid, { accesstoken: 'second' });
  warmUp.missed();
  await expect.poll(() => cache.anyUsable(ownerId), soon).toBe('second');
  expect(readAt).toHaveLength(2);
});

test('while the feed is broken the record is read again and again, with pauses', async () => {
  await warmUp.start();
  healthy = false;
  await expect.poll(() => readAt.length, soon).toBe(4);
  expect(readAt.slice(1).map((at, index) => at - readAt[index]!).filter((pauseMs) => pauseMs < 690)).toEqual([]);
});

test('a node takes no load while the record is away, and does when it is back', async () => {
  isAway = true;
  const started = warmUp.start();
  await expect.poll(() => readAt.length, soon).toBeGreaterThan(1);
  isAway = false;
  await started;
  expect(cache.anyUsable(ownerId)).toBe('first');
});

test('a node whose record stays away for longer than its patience does not start', async () => {
  isAway = true;
  warmUp = newWarmUp({ patienceMs: 600 });
  await expect(warmUp.start()).rejects.toThrow(StoreUnavailable);
  expect(readAt.length).toBeGreaterThan(1);
});
