import { beforeEach, describe, expect, test } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { outranks, type LiveToken } from '../../src/domain/token.ts';
import { LivePool } from '../../src/redis/live-pool.ts';
import { LiveTokenCode } from '../../src/redis/live-token-code.ts';
import type { RedisClient } from '../../src/redis/connection.ts';
import { KeyRing, Unsealable } from '../../src/runtime/key-ring.ts';
import { useRedis } from '../harness/redis.ts';
import { untilReady, useClients } from './clients.ts';

const redis = useRedis();
const connect = useClients();
const hourMs = 3_600_000;
const ignore = (): void => undefined;

let client: RedisClient;
let pool: LivePool;
let unreadable: { ownerId: string; slot: string; error: Unsealable }[];
let calls: string[];

function ringOf(id: string): KeyRing {
  return new KeyRing([{ id, key: new Secret(Buffer.alloc(32, id).toString('base64')) }]);
}

function poolWith(ring: KeyRing): LivePool {
  return new LivePool(client, client, 'tps', new LiveTokenCode(ring), (operation, _seconds, ok) => { calls.push(`${operation} ${String(ok)}`); }, (ownerId, slot, error) => { unreadable.push({ ownerId, slot, error }); });
}

function live(changes: Partial<LiveToken> = {}): LiveToken {
  return { slot: 'a', version: 1, uc: 0, phase: 'ready', expiresAt: Date.now() + hourMs, accessToken: 'at-clear-1', ...changes };
}

const keyOf = (ownerId: string): string => `tps:pool:{${encodeURIComponent(ownerId)}}`;

beforeEach(async () => {
  client = await untilReady(connect({ url: redis().url }, 'write'));
  await client.flushall();
  [unreadable, calls] = [[], []];
  pool = poolWith(ringOf('k'));
});

describe('the live pool', () => {
  test('gives back the tokens of an owner, one for each slot', async () => {
    const [a, b] = [live(), live({ slot: 'b', version: 7, uc: 3, phase: 'withdrawn', accessToken: 'x'.repeat(8192) })];
    expect(await pool.putAll([{ ownerId: 'o', token: a }, { ownerId: 'o', token: b }, { ownerId: 'p', token: a }])).toBe(3);
    expect((await pool.tokensOf('o')).sort((x, y) => x.slot.localeCompare(y.slot))).toEqual([a, b]);
    expect(await pool.tokensOf('p')).toEqual([a]);
    expect(await pool.tokensOf('nobody')).toEqual([]);
  });

  test('keeps owners apart whatever characters their ids hold', async () => {
    const ids = ['a', 'a}', '{a}', 'a/b', 'ä 東京', '%7Ba%7D', 'a b'];
    for (const [i, ownerId] of ids.entries()) await pool.put(ownerId, live({ version: i + 1, accessToken: `at-${String(i)}` }));
    for (const [i, ownerId] of ids.entries()) expect((await pool.tokensOf(ownerId)).map(({ accessToken }) => accessToken)).toEqual([`at-${String(i)}`]);
  });

  test('never replaces a token by one of a lower or the same rank', async () => {
    expect(await pool.put('o', live({ version: 10, uc: 5 }))).toBe(true);
    for (const [version, uc] of [[10, 5], [10, 4], [9, 99], [2, Number.MAX_SAFE_INTEGER]] as const) {
      expect(await pool.put('o', live({ version, uc, accessToken: 'older' }))).toBe(false);
    }
    expect(await pool.tokensOf('o')).toMatchObject([{ version: 10, uc: 5, accessToken: 'at-clear-1' }]);
    expect(await pool.put('o', live({ version: 10, uc: 6 }))).toBe(true);
    expect(await pool.put('o', live({ version: 100, uc: 0 }))).toBe(true);
    expect(await pool.put('o', live({ version: 99, uc: 100 }))).toBe(false);
  });

  test('ends at the highest rank, in whatever order and however often the writes of several nodes arrive', async () => {
    const writers = [pool, ...(await Promise.all([0, 1].map(async () => new LivePool(client, await untilReady(connect({ url: redis().url }, 'write')), 'tps', new LiveTokenCode(ringOf('k')), ignore))))];
    for (let round = 0; round < 25; round++) {
      const ownerId = `random-${String(round)}`;
      const writes = Array.from({ length: 24 }, () => live({ version: 1 + Math.floor(Math.random() * 12), uc: Math.floor(Math.random() * 4), phase: Math.random() < 0.3 ? 'given_back' : 'withdrawn' }));
      await Promise.all(writes.map((token, i) => (writers[i % writers.length] ?? pool).put(ownerId, token)));
      const highest = writes.reduce((best, token) => (outranks(token, best) ? token : best));
      expect(await pool.tokensOf(ownerId)).toMatchObject([{ version: highest.version, uc: highest.uc, phase: highest.phase }]);
    }
  });

  test('takes what was given back for what was withdrawn at the same update count, and keeps it', async () => {
    expect(await pool.put('o', live({ uc: 5, phase: 'withdrawn' }))).toBe(true);
    expect(await pool.put('o', live({ uc: 5, phase: 'ready' }))).toBe(false);
    expect(await pool.put('o', live({ uc: 5, phase: 'given_back' }))).toBe(true);
    for (const phase of ['given_back', 'withdrawn', 'ready'] as const) expect(await pool.put('o', live({ uc: 5, phase }))).toBe(false);
    expect(await pool.tokensOf('o')).toMatchObject([{ uc: 5, phase: 'given_back' }]);
    expect(await pool.put('o', live({ uc: 6, phase: 'withdrawn' }))).toBe(true);
    expect(await pool.put('o', live({ uc: 5, phase: 'given_back' }))).toBe(false);
    expect(await pool.put('o', live({ uc: 7, phase: 'gone', accessToken: '' }))).toBe(true);
    expect(await pool.put('o', live({ uc: 7, phase: 'given_back' }))).toBe(false);
  });

  test('holds what is gone above every state of its row, and a newer row above that', async () => {
    await pool.put('o', live({ uc: 4 }));
    await pool.put('o', live({ uc: Number.MAX_SAFE_INTEGER, phase: 'gone', accessToken: '' }));
    expect(await pool.put('o', live({ uc: 1_000_000 }))).toBe(false);
    expect(await pool.tokensOf('o')).toMatchObject([{ phase: 'gone', accessToken: '' }]);
    expect(await pool.put('o', live({ version: 2 }))).toBe(true);
    expect(await pool.tokensOf('o')).toMatchObject([{ version: 2, phase: 'ready' }]);
  });

  test('is kept for a day beyond its longest living token', async () => {
    const dayMs = 24 * hourMs;
    await pool.put('o', live({ expiresAt: Date.now() + 10 * hourMs }));
    await pool.put('o', live({ slot: 'b', expiresAt: Date.now() + hourMs }));
    const left = await client.pttl(keyOf('o'));
    expect(Math.abs(left - dayMs - 10 * hourMs)).toBeLessThan(5_000);
    await pool.put('o', live({ slot: 'c', expiresAt: Date.now() + 20 * hourMs }));
    expect(Math.abs((await client.pttl(keyOf('o'))) - dayMs - 20 * hourMs)).toBeLessThan(5_000);
  });

  test('of a token that expired long ago is forgotten a day later, and not kept for ever', async () => {
    await pool.put('o', live({ expiresAt: Date.now() - 90 * 24 * hourMs }));
    const left = await client.pttl(keyOf('o'));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(24 * hourMs + 1_000);
  });

  test('holds no access token in the clear, and no place where one could stand', async () => {
    await pool.put('o', live({ accessToken: 'very-secret-token' }));
    await pool.markBuilt();
    const held: string[] = [];
    for (const key of await client.keys('*')) {
      held.push(key, await client.type(key), ...((await client.type(key)) === 'hash' ? Object.entries(await client.hgetall(key)).flat() : [(await client.get(key)) ?? '']));
    }
    expect(held.length).toBeGreaterThan(4);
    expect(held.join('\n')).not.toContain('secret');
    expect(held.join('\n')).toContain('sealed:v1:k:');
  });

  test('knows whether it was built, until it is flushed', async () => {
    expect(await pool.isBuilt()).toBe(false);
    await pool.markBuilt();
    expect(await pool.isBuilt()).toBe(true);
    await client.flushall();
    expect(await pool.isBuilt()).toBe(false);
  });

  test('works after a Redis that has forgotten its scripts', async () => {
    await pool.put('o', live());
    await client.script('FLUSH');
    expect(await pool.put('o', live({ version: 2 }))).toBe(true);
  });

  test('tells how long each call took and how it ended', async () => {
    await pool.put('o', live());
    await pool.tokensOf('o');
    expect(calls).toEqual(['pool.put true', 'pool.read true']);
  });
});

describe('a value that is not what it should be', () => {
  test('moved to another owner, another slot or another version cannot be read, and hides none of the others', async () => {
    await pool.put('victim', live({ accessToken: 'at-of-victim' }));
    await pool.put('thief', live({ slot: 'own', accessToken: 'at-of-thief' }));
    const value = (await client.hget(keyOf('victim'), 'a')) ?? '';
    await client.hset(keyOf('thief'), 'a', value);
    await client.hset(keyOf('thief'), 'b', (await client.hget(keyOf('thief'), 'own')) ?? '');
    await client.hset(keyOf('victim'), 'a', value.replace(/^1:/, '2:'));
    expect((await pool.tokensOf('thief')).map(({ accessToken }) => accessToken)).toEqual(['at-of-thief']);
    expect(await pool.tokensOf('victim')).toEqual([]);
    expect(unreadable.map(({ ownerId, slot }) => `${ownerId} ${slot}`).sort()).toEqual(['thief a', 'thief b', 'victim a']);
    for (const { error } of unreadable) {
      expect(error).toBeInstanceOf(Unsealable);
      expect(error.message).not.toContain('at-of');
    }
  });

  test('under a key that this node lacks hides none of the others', async () => {
    await pool.put('o', live());
    await poolWith(ringOf('z')).put('o', live({ slot: 'b', accessToken: 'at-of-z' }));
    expect((await pool.tokensOf('o')).map(({ slot }) => slot)).toEqual(['a']);
    expect(unreadable).toMatchObject([{ ownerId: 'o', slot: 'b' }]);
  });

  test('in another form is passed over, and the next write heals it', async () => {
    for (const damaged of ['', 'nonsense', '1:2', '-1:0:r:9:x', 'null']) {
      await client.hset(keyOf('o'), 'a', damaged);
      expect(await pool.tokensOf('o')).toEqual([]);
      expect(await pool.put('o', live())).toBe(true);
      expect(await pool.tokensOf('o')).toHaveLength(1);
    }
  });

  test('whose rank can be read is outranked like any other', async () => {
    await client.hset(keyOf('o'), 'a', '5:0:r:no-time:x');
    expect(await pool.tokensOf('o')).toEqual([]);
    expect(await pool.put('o', live({ version: 4 }))).toBe(false);
    expect(await pool.put('o', live({ version: 6 }))).toBe(true);
  });
});
