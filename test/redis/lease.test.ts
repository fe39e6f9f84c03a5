import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

import { StoreUnavailable } from '../../src/domain/errors.ts';
import { RedisLease } from '../../src/redis/lease.ts';
import { startRedis, type Redis } from '../harness/stores.ts';
import { timed, untilReady, useClients } from './clients.ts';

const connect = useClients();
let redis: Redis;
let prefix = 0;

beforeAll(async () => { redis = await startRedis(); });
afterAll(async () => { await redis.remove(); });
beforeEach(() => { prefix++; });

async function lease(): Promise<RedisLease> {
  return new RedisLease(await untilReady(connect({ url: redis.url }, 'lease')), `tps-${String(prefix)}`);
}

describe('the lease', () => {
  test('is held by one: another is refused until it is given up', async () => {
    const [a, b] = [await lease(), await lease()];
    expect(await a.acquire(5_000)).toBe(true);
    expect(await b.acquire(5_000)).toBe(false);
    expect(await b.extend(5_000)).toBe(false);
    await b.release();
    expect(await b.acquire(5_000)).toBe(false);
    expect(await a.extend(5_000)).toBe(true);
    await a.release();
    expect(await b.acquire(5_000)).toBe(true);
    expect(await a.extend(5_000)).toBe(false);
  });

  test('asked for again by its holder is extended', async () => {
    const [a, b] = [await lease(), await lease()];
    expect(await a.acquire(300)).toBe(true);
    expect(await a.acquire(5_000)).toBe(true);
    await delay(350);
    expect(await b.acquire(5_000)).toBe(false);
    expect(await a.extend(5_000)).toBe(true);
  });

  test('of many that stand at once is taken by one', async () => {
    const nodes = await Promise.all(Array.from({ length: 8 }, lease));
    expect((await Promise.all(nodes.map((node) => node.acquire(5_000)))).filter(Boolean)).toHaveLength(1);
  });

  test('runs out by itself, and its old holder cannot extend it', async () => {
    const [a, b] = [await lease(), await lease()];
    expect(await a.acquire(150)).toBe(true);
    await vi.waitFor(async () => { expect(await b.acquire(5_000)).toBe(true); }, { timeout: 2_000, interval: 20 });
    expect(await a.extend(5_000)).toBe(false);
    await a.release();
    expect(await b.extend(5_000)).toBe(true);
  });

  test('ends when its holder was told, as others can see: whoever stands at that moment gets it', async () => {
    const [a, b] = [await lease(), await lease()];
    expect(await b.endsInMs(400)).toBe(0);
    await a.acquire(400);
    const left = await b.endsInMs(400);
    expect(left).toBeGreaterThan(300);
    expect(left).toBeLessThanOrEqual(401);
    await delay(left);
    expect(await b.acquire(5_000)).toBe(true);
  });

  test('that somebody made by hand, without an end, ends after its time', async () => {
    const a = await lease();
    await (await untilReady(connect({ url: redis.url }, 'write'))).set(`tps-${prefix}:lease`, 'by hand');
    expect(await a.acquire(300)).toBe(false);
    await delay(350);
    expect(await a.acquire(300)).toBe(true);
  });

  test('lasts as long as it is extended', async () => {
    const [a, b] = [await lease(), await lease()];
    await a.acquire(400);
    for (let i = 0; i < 6; i++) {
      await delay(100);
      expect(await a.extend(400)).toBe(true);
      expect(await b.acquire(400)).toBe(false);
    }
  });

  test('whose key Redis lost cannot be extended, and can be taken again', async () => {
    const [a, b] = [await lease(), await lease()];
    await a.acquire(5_000);
    await (await untilReady(connect({ url: redis.url }, 'write'))).flushall();
    expect(await a.extend(5_000)).toBe(false);
    expect(await b.acquire(5_000)).toBe(true);
    expect(await a.extend(5_000)).toBe(false);
    expect(await a.acquire(5_000)).toBe(false);
  });

  test('is StoreUnavailable within half a second where Redis is frozen, to be taken within one, and can be extended when it thaws in time', async () => {
    const [a, b] = [await lease(), await lease()];
    await a.acquire(10_000);
    redis.freeze();
    const [extended, acquired] = await Promise.all([timed(() => a.extend(10_000)), timed(() => b.acquire(10_000))]);
    const released = await timed(() => b.release());
    redis.thaw();
    expect([extended.error, acquired.error]).toEqual([expect.any(StoreUnavailable), expect.any(StoreUnavailable)]);
    expect(extended.ms).toBeLessThan(550);
    expect(acquired.ms).toBeLessThan(1_000);
    expect(released.ms).toBeLessThan(550);
    await vi.waitFor(async () => { expect(await a.extend(10_000)).toBe(true); }, 2_000);
    expect(await b.acquire(5_000)).toBe(false);
  });

  test('asked for while Redis was frozen is not left behind with nobody when it thaws', async () => {
    const [a, b] = [await lease(), await lease()];
    redis.freeze();
    await expect(a.acquire(30_000)).rejects.toThrow(StoreUnavailable);
    redis.thaw();
    await vi.waitFor(async () => { expect(await b.acquire(5_000)).toBe(true); }, { timeout: 3_000, interval: 50 });
  });

  test('is StoreUnavailable at once where Redis is down, and is taken again when it is back', async () => {
    const a = await lease();
    await a.acquire(60_000);
    await redis.kill();
    await vi.waitFor(async () => {
      const results = [await timed(() => a.extend(60_000)), await timed(() => a.acquire(60_000))];
      for (const { error, ms } of results) {
        expect(error).toBeInstanceOf(StoreUnavailable);
        expect(ms).toBeLessThan(100);
      }
    }, 2_000);
    expect((await timed(() => a.release())).ms).toBeLessThan(100);
    await redis.restart();
    await vi.waitFor(async () => { expect(await a.acquire(1_000)).toBe(true); }, 3_000);
  });
});
