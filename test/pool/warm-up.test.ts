import { afterEach, beforeEach, expect, test } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
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
  warmUp = new WarmUp({ record: { read }, cache, feedHealthy: () => healthy, clock, logger: silent, timing: { spreadMs: 0, pauseMs: 700 } });
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

test('a record that is away keeps no node from starting, and is read when it is back', async () => {
  isAway = true;
  await warmUp.start();
  expect(cache.anyUsable(ownerId)).toBeUndefined();
  isAway = false;
  await expect.poll(() => cache.anyUsable(ownerId), soon).toBe('first');
});
