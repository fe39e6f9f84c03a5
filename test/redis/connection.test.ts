import { once } from 'node:events';
import { connect as connectTcp, createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

import { StoreUnavailable } from '../../src/domain/errors.ts';
import { Secret } from '../../src/domain/secret.ts';
import { callRedis } from '../../src/redis/call.ts';
import { memoryPolicy } from '../../src/redis/memory-policy.ts';
import { PendingAnswers } from '../../src/redis/pending.ts';
import { startRedis, type Redis } from '../harness/stores.ts';
import { silent, timed, untilReady, useClients } from './clients.ts';

const connect = useClients();
const ignore = (): void => undefined;
let redis: Redis;

beforeAll(async () => { redis = await startRedis(); });
afterAll(async () => { await redis.remove(); });

describe('a connection for reads', () => {
  test('gives up within 200 ms where Redis is frozen, and works at once when it thaws', async () => {
    const reads = await untilReady(connect({ url: redis.url }, 'read'));
    await reads.set('k', 'v');
    redis.freeze();
    const results = await Promise.all(Array.from({ length: 20 }, () => timed(() => reads.get('k'))));
    redis.thaw();
    for (const { error, ms } of results) {
      expect(error).toBeInstanceOf(Error);
      expect(ms).toBeLessThan(250);
    }
    await vi.waitFor(async () => { expect(await reads.get('k')).toBe('v'); }, { timeout: 1_500, interval: 20 });
  });

  test('gives up at once where Redis is down, also for what is under way, and works within 1.5 s when it is back', async () => {
    const reads = await untilReady(connect({ url: redis.url }, 'read'));
    redis.freeze();
    const underWay = timed(() => reads.get('k'));
    redis.thaw();
    await redis.kill();
    await underWay;
    await vi.waitFor(() => { expect(reads.status).not.toBe('ready'); });
    const down = await timed(() => reads.get('k'));
    expect(down.error).toBeInstanceOf(Error);
    expect(down.ms).toBeLessThan(50);
    await delay(2_500);
    await redis.restart();
    const back = performance.now();
    await vi.waitFor(async () => { await reads.get('k'); }, { timeout: 5_000, interval: 10 });
    expect(performance.now() - back).toBeLessThan(1_500);
  });

  test('never waits longer than a second between two tries', () => {
    for (const role of ['read', 'write', 'lease', 'queue', 'worker', 'subscriber'] as const) {
      const { retryStrategy } = connect({ url: 'redis://127.0.0.1:1' }, role).options as { retryStrategy?: (times: number) => number };
      const waits = [1, 2, 3, 5, 10, 100, 100_000].map((times) => retryStrategy?.(times) ?? Infinity);
      expect(Math.max(...waits)).toBeLessThanOrEqual(1_000);
      expect(waits[0]).toBeLessThanOrEqual(100);
    }
  });

  test('to a Redis that was never there fails at once', async () => {
    const reads = connect({ url: 'redis://127.0.0.1:1' }, 'read');
    const { error, ms } = await timed(() => reads.get('k'));
    expect(error).toBeInstanceOf(Error);
    expect(ms).toBeLessThan(50);
  });
});

describe('a connection of another kind', () => {
  test.each([['lease', 500], ['write', 1000], ['queue', 2000]] as const)('for %s gives up within %i ms where Redis is frozen', async (role, limit) => {
    const client = await untilReady(connect({ url: redis.url }, role));
    redis.freeze();
    const { error, ms } = await timed(() => client.get('k'));
    redis.thaw();
    expect(error).toBeInstanceOf(Error);
    expect(ms).toBeLessThan(limit + 200);
  });

  test('ends what was under way when it is lost at once, and does not send it again', async () => {
    const own = await startRedis({ appendOnly: true });
    const client = await untilReady(connect({ url: own.url }, 'queue'));
    own.freeze();
    const underWay = timed(() => client.incr('n'));
    await delay(50);
    const killed = performance.now();
    await own.kill();
    expect((await underWay).error).toBeInstanceOf(Error);
    expect(performance.now() - killed).toBeLessThan(1_000);
    await own.restart();
    await vi.waitFor(async () => { await client.ping(); }, { timeout: 5_000, interval: 20 });
    expect(await client.get('n')).toBeNull();
    await own.remove();
  });

  test.each(['worker', 'subscriber'] as const)('for a %s waits until Redis is there', async (role) => {
    await redis.kill();
    const client = connect({ url: redis.url }, role);
    const answer = client.get('nothing');
    await delay(200);
    await redis.restart();
    expect(await answer).toBeNull();
  });

  test('says once that Redis is away and once that it is back, and never a password', async () => {
    const said: string[] = [];
    const tell = (level: string) => (facts: object, text: string): void => void said.push(`${level} ${text} ${JSON.stringify(facts)}`);
    const client = connect({ url: redis.url, username: 'default', password: new Secret('hush-hush') }, 'write', { ...silent, warn: tell('warn'), info: tell('info') });
    await redis.kill();
    await delay(600);
    await redis.restart();
    await untilReady(client);
    await vi.waitFor(() => { expect(said.filter((line) => line.startsWith('info'))).toHaveLength(1); });
    expect(said.join('\n')).not.toContain('hush');
    expect(said.filter((line) => line.startsWith('warn')).length).toBeLessThanOrEqual(2);
  });
});

describe('behind a name that leads to another server now', () => {
  let old: Redis;
  let next: Redis;
  let name: Server;
  let target: number;

  beforeEach(async () => {
    [old, next] = await Promise.all([startRedis(), startRedis()]);
    target = old.port;
    name = createServer((client) => {
      const server = connectTcp(target, '127.0.0.1');
      for (const socket of [client, server]) socket.on('error', ignore);
      client.pipe(server).pipe(client);
    });
    await once(name.listen(0, '127.0.0.1'), 'listening');
    return async () => {
      name.close();
      await Promise.all([old.remove(), next.remove()]);
    };
  });

  const url = (): string => `redis://127.0.0.1:${String((name.address() as AddressInfo).port)}`;

  test('a connection leaves a server that was made a replica, and that nobody disconnects', async () => {
    const client = await untilReady(connect({ url: url() }, 'write'));
    await client.set('k', 'v');
    const direct = await untilReady(connect({ url: old.url }, 'write'));
    await direct.replicaof('127.0.0.1', next.port);
    target = next.port;
    await vi.waitFor(async () => { await client.set('k', 'on the next'); }, { timeout: 3_000, interval: 20 });
    const other = await untilReady(connect({ url: next.url }, 'read'));
    expect(await other.get('k')).toBe('on the next');
  });

  test.each(['read', 'write', 'lease', 'queue'] as const)('a connection for %s leaves a server that hangs', async (role) => {
    const client = await untilReady(connect({ url: url() }, role));
    old.freeze();
    target = next.port;
    const hungSince = performance.now();
    await vi.waitFor(async () => { await client.set('k', 'v'); }, { timeout: 8_000, interval: 20 });
    expect(performance.now() - hungSince).toBeLessThan(3_500);
    old.thaw();
  });
});

describe('where Redis is', () => {
  test('comes with user, password and database, in the URL or beside it', async () => {
    const guarded = await startRedis({ args: ['--user', 'svc', 'on', '>p@ss:w/rd', '~*', '&*', '+@all'] });
    const inUrl = await untilReady(connect({ url: `redis://svc:${encodeURIComponent('p@ss:w/rd')}@127.0.0.1:${String(guarded.port)}/3` }, 'write'));
    await inUrl.set('here', '1');
    expect(await inUrl.acl('WHOAMI')).toBe('svc');
    const beside = await untilReady(connect({ url: guarded.url, username: 'svc', password: new Secret('p@ss:w/rd'), db: 3 }, 'write'));
    expect(await beside.get('here')).toBe('1');
    await guarded.remove();
  });

  test('can be a cluster: pool, feed and pending keys have their place in it', async () => {
    const node = await startRedis({ args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] });
    const direct = await untilReady(connect({ url: node.url }, 'write'));
    await direct.cluster('ADDSLOTSRANGE', 0, 16383);
    await vi.waitFor(async () => { expect(String(await direct.cluster('INFO'))).toContain('cluster_state:ok'); }, 10_000);
    const client = connect({ cluster: [{ host: node.host, port: node.port }] }, 'write');
    await vi.waitFor(() => { expect(client.status).toBe('ready'); }, 10_000);
    const pending = new PendingAnswers(client, 'tps');
    await pending.put('a', 'sealed');
    expect(await pending.all()).toEqual({ a: 'sealed' });
    await node.remove();
  });
});

describe('a call', () => {
  test('that fails is StoreUnavailable with its cause, and is observed as failed', async () => {
    const observed: unknown[] = [];
    const cause = new Error('why');
    const failing = callRedis('pool.read', (operation, seconds, ok) => observed.push([operation, seconds >= 0, ok]), () => Promise.reject(cause));
    await expect(failing).rejects.toThrow(StoreUnavailable);
    await expect(failing).rejects.toMatchObject({ store: 'redis', cause });
    expect(observed).toEqual([['pool.read', true, false]]);
    expect(await callRedis('pool.read', ignore, () => Promise.resolve(1))).toBe(1);
  });

  test('tells the policy for a full memory', async () => {
    expect(await memoryPolicy(await untilReady(connect({ url: redis.url }, 'write')))).toBe('noeviction');
  });
});

describe('pending answers', () => {
  test('are kept by attempt until they are forgotten, and survive their writer', async () => {
    const pending = new PendingAnswers(await untilReady(connect({ url: redis.url }, 'write')), 'tps');
    await pending.put('a', 'sealed-1');
    await pending.put('b', 'sealed-2');
    await pending.put('a', 'sealed-3');
    const other = new PendingAnswers(await untilReady(connect({ url: redis.url }, 'write')), 'tps');
    expect(await other.all()).toEqual({ a: 'sealed-3', b: 'sealed-2' });
    await other.forget('unknown');
    await other.forget('a');
    expect(await pending.all()).toEqual({ b: 'sealed-2' });
  });
});
