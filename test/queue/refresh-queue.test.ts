import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, describe, expect, test, vi } from 'vitest';

import { StoreUnavailable } from '../../src/domain/errors.ts';
import { RefreshQueue, type DueRefresh, type QueueOptions } from '../../src/queue/refresh-queue.ts';
import { RefreshWorker } from '../../src/queue/refresh-worker.ts';
import { useRedis } from '../harness/redis.ts';
import { startRedis } from '../harness/stores.ts';
import { timed, useClients } from '../redis/clients.ts';

const redis = useRedis();
const connect = useClients();
const open: { close?: () => Promise<void>; stop?: () => Promise<void> }[] = [];
const ignore = (): void => undefined;
let prefixes = 0;

afterEach(async () => {
  for (const each of open.splice(0)) await (each.stop?.() ?? each.close?.());
});

/** A queue and its worker as two processes would have them, with the rings that came. */
function alarm(url = redis().url, prefix = `{test-${String(++prefixes)}:refresh}`): { queue: RefreshQueue; worker: RefreshWorker; rings: { version: number; late: number }[]; prefix: string } {
  const rings: { version: number; late: number }[] = [];
  const options = (role: 'queue' | 'worker'): QueueOptions => ({ connection: connect({ url }, role), prefix });
  const queue = new RefreshQueue(options('queue'), Date.now, ignore);
  const worker = new RefreshWorker(options('worker'), ({ version, dueAt }) => { rings.push({ version, late: Date.now() - dueAt }); }, ignore);
  open.push(worker, queue);
  return { queue, worker, rings, prefix };
}

function due(version: number, inMs: number): DueRefresh {
  return { version, ownerDid: 1, dueAt: Date.now() + inMs };
}

describe('the alarm of a refresh', () => {
  test('rings within 150 ms of its time, and never before it', async () => {
    const { queue, worker, rings } = alarm();
    await worker.start();
    await queue.schedule([due(0, 0)]);
    await vi.waitFor(() => { expect(rings).toHaveLength(1); }, 5_000);
    await queue.schedule(Array.from({ length: 9 }, (_, i) => due(i + 1, 300 + 150 * i)));
    await vi.waitFor(() => { expect(rings).toHaveLength(10); }, 8_000);
    expect(rings.map(({ version }) => version)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(Math.min(...rings.map(({ late }) => late))).toBeGreaterThanOrEqual(0);
    // The middle one: a machine that is busy with something else may be late now and then.
    expect(rings.map(({ late }) => late).sort((a, b) => a - b)[5]).toBeLessThan(150);
  });

  test('hands on which token is due and for whom, and Redis holds no more than that', async () => {
    const { queue, prefix } = alarm();
    const refresh = due(42, 60_000);
    await queue.schedule([refresh]);
    const client = connect({ url: redis().url }, 'write');
    await vi.waitFor(async () => { expect(await client.ping()).toBe('PONG'); });
    const stored = await client.hgetall(`${prefix}:refresh:t42-${String(refresh.dueAt)}`);
    expect(JSON.parse(stored['data'] ?? '')).toEqual(refresh);
  });

  test('planned twice rings once', async () => {
    const { queue, worker, rings } = alarm();
    const plan = due(1, 400);
    await queue.schedule([plan, plan]);
    await queue.schedule([plan]);
    expect(await queue.counts()).toEqual({ waiting: 0, delayed: 1, active: 0, failed: 0 });
    await worker.start();
    await queue.schedule([due(2, 900)]);
    await vi.waitFor(() => { expect(rings.map(({ version }) => version)).toEqual([1, 2]); }, 5_000);
  });

  test('planned for another time rings at that time too', async () => {
    const { queue, worker, rings } = alarm();
    await worker.start();
    await queue.schedule([due(1, 100), due(1, 300)]);
    await vi.waitFor(() => { expect(rings).toHaveLength(2); }, 5_000);
  });

  test('leaves nothing behind when it rang', async () => {
    const { queue, worker, rings } = alarm();
    await worker.start();
    await queue.schedule(Array.from({ length: 20 }, (_, i) => due(i + 1, 50)));
    await vi.waitFor(async () => {
      expect(rings).toHaveLength(20);
      expect(await queue.counts()).toEqual({ waiting: 0, delayed: 0, active: 0, failed: 0 });
    }, 5_000);
  });

  test('of more plans than fit one batch are all set', async () => {
    const { queue } = alarm();
    await queue.schedule(Array.from({ length: 601 }, (_, i) => due(i + 1, 60_000)));
    expect((await queue.counts()).delayed).toBe(601);
  });

  test('rings on the worker that is there: one that stopped takes none, one that starts again takes those that are due', async () => {
    const { queue, worker, rings } = alarm();
    await worker.start();
    await worker.stop();
    await queue.schedule([due(1, 10)]);
    await delay(200);
    expect(rings).toEqual([]);
    await worker.start();
    await worker.start();
    await vi.waitFor(() => { expect(rings).toHaveLength(1); }, 5_000);
    await worker.stop();
    await worker.stop();
  });
});

describe('when Redis', () => {
  test('comes back empty, the alarms are gone and new ones ring, in the same process', async () => {
    const own = await startRedis();
    const { queue, worker, rings } = alarm(own.url);
    await worker.start();
    await queue.schedule([due(1, 1_500)]);
    await own.kill();
    await delay(300);
    await own.restart({ empty: true });
    await vi.waitFor(async () => { await queue.schedule([due(2, 100)]); }, { timeout: 10_000, interval: 200 });
    await vi.waitFor(() => { expect(rings.map(({ version }) => version)).toContain(2); }, 10_000);
    expect(rings.map(({ version }) => version)).not.toContain(1);
    await own.remove();
  });

  test('is flushed, new alarms ring', async () => {
    const own = await startRedis();
    const { queue, worker, rings } = alarm(own.url);
    await worker.start();
    await queue.schedule([due(1, 500)]);
    const client = connect({ url: own.url }, 'write');
    await vi.waitFor(async () => { await client.flushall(); });
    await queue.schedule([due(2, 100)]);
    await vi.waitFor(() => { expect(rings.map(({ version }) => version)).toEqual([2]); }, 10_000);
    await own.remove();
  });

  test('was never there, planning fails in time, once its first connection had its chance; and it works when Redis comes', async () => {
    const own = await startRedis();
    await own.kill();
    const { queue, worker, rings } = alarm(own.url);
    await worker.start();
    const first = await timed(() => queue.schedule([due(1, 0)]));
    expect(first.error).toBeInstanceOf(StoreUnavailable);
    expect(first.ms).toBeLessThan(2_500);
    const next = await timed(() => queue.counts());
    expect(next.error).toBeInstanceOf(StoreUnavailable);
    expect(next.ms).toBeLessThan(100);
    await own.restart();
    await vi.waitFor(async () => { await queue.schedule([due(2, 0)]); }, { timeout: 5_000, interval: 100 });
    await vi.waitFor(() => { expect(rings.map(({ version }) => version)).toContain(2); }, 10_000);
    await own.remove();
  });

  test('is down or frozen, planning fails in time and a worker stops at once', async () => {
    const own = await startRedis();
    const { queue, worker } = alarm(own.url);
    await worker.start();
    await queue.schedule([due(1, 60_000)]);
    own.freeze();
    const frozen = await timed(() => queue.schedule([due(2, 60_000)]));
    expect(frozen.error).toBeInstanceOf(StoreUnavailable);
    expect(frozen.ms).toBeLessThan(2_500);
    expect((await timed(() => worker.stop())).ms).toBeLessThan(500);
    own.thaw();
    await worker.start();
    await own.kill();
    await vi.waitFor(async () => { expect((await timed(() => queue.schedule([due(3, 60_000)]))).ms).toBeLessThan(100); });
    expect((await timed(() => worker.stop())).ms).toBeLessThan(500);
    expect((await timed(() => queue.close())).ms).toBeLessThan(500);
    await own.remove();
  });
});
