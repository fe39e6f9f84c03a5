import { getEventListeners } from 'node:events';

import { beforeEach, expect, test } from 'vitest';

import type { LiveToken } from '../../src/domain/token.ts';
import { NearCache } from '../../src/pool/near-cache.ts';
import { ClusterClock } from '../../src/runtime/clock.ts';

/** Stands still unless told. */
class HandClock extends ClusterClock {
  at = 1_000_000;

  override now(): number {
    return this.at;
  }

  override monotonic(): number {
    return this.at;
  }
}

let clock: HandClock;
let healthy: boolean;
let cache: NearCache;

beforeEach(() => {
  clock = new HandClock();
  healthy = true;
  cache = new NearCache(clock, () => healthy);
});

function token(over: Partial<LiveToken> = {}): LiveToken {
  return { slot: 'a', version: 1, uc: 0, phase: 'ready', expiresAt: clock.at + 3_600_000, accessToken: 'first', ...over };
}

test('what a store said is trusted while the feed is healthy, for half a minute', () => {
  cache.learn('owner', [token()], 0, clock.monotonic());
  clock.at += 29_000;
  expect(cache.peek('owner')).toBe('first');
  clock.at += 2_000;
  expect(cache.peek('owner')).toBeUndefined();
  expect(cache.anyUsable('owner')).toBe('first');
});

test('what the feed said of an owner that no store was asked about is no answer yet: it may be of yesterday', () => {
  cache.hear('owner', token());
  expect(cache.peek('owner')).toBeUndefined();
  expect(cache.anyUsable('owner')).toBe('first');
  cache.learn('owner', [token({ version: 2, accessToken: 'second' })], 0, clock.monotonic());
  expect(cache.peek('owner')).toBe('second');
});

test('an answer of a store that was asked before a gap in the feed is not trusted after it', () => {
  const askedAt = clock.monotonic();
  clock.at += 5;
  cache.suspectAll();
  clock.at += 5;
  cache.learn('owner', [token()], 1000, askedAt);
  expect(cache.peek('owner')).toBeUndefined();
});

test('an answer of a store that was asked before the pool of the owner was restarted is not trusted after it', () => {
  cache.learn('owner', [token()], 0, clock.monotonic());
  const askedAt = clock.monotonic();
  clock.at += 5;
  cache.suspect('owner');
  clock.at += 5;
  cache.learn('owner', [token()], 1000, askedAt);
  expect(cache.peek('owner')).toBeUndefined();
  cache.learn('owner', [token()], 0, clock.monotonic());
  expect(cache.peek('owner')).toBe('first');
});

test('while the feed is broken, trust counts from when the store was asked', () => {
  healthy = false;
  const askedAt = clock.monotonic();
  clock.at += 900;
  cache.learn('owner', [token()], 1000, askedAt);
  clock.at += 99;
  expect(cache.peek('owner')).toBe('first');
  clock.at += 2;
  expect(cache.peek('owner')).toBeUndefined();
});

test('a slot never goes back, whatever comes late', () => {
  cache.learn('owner', [token({ version: 2, accessToken: 'second' })], 0, clock.monotonic());
  cache.hear('owner', token({ uc: 9 }));
  cache.learn('owner', [token({ uc: 9 })], 0, clock.monotonic());
  expect(cache.peek('owner')).toBe('second');
  cache.hear('owner', token({ version: 2, uc: 1, phase: 'withdrawn', accessToken: 'second' }));
  cache.learn('owner', [token({ version: 2, accessToken: 'second' })], 0, clock.monotonic());
  expect(cache.anyUsable('owner')).toBeUndefined();
});

test('a token that is withdrawn gives way to another of the owner at once, and an expired one is not handed out', () => {
  cache.learn('owner', [token(), token({ slot: 'b', accessToken: 'other', expiresAt: clock.at + 10_000 })], 0, clock.monotonic());
  expect(cache.peek('owner')).toBe('first');
  cache.hear('owner', token({ uc: 1, phase: 'withdrawn' }));
  expect(cache.peek('owner')).toBe('other');
  clock.at += 10_000;
  expect(cache.peek('owner')).toBeUndefined();
});

test('an owner whose tokens have expired is told of as one without; one whose tokens were all taken out of the record is told of no more', () => {
  const told = (): { ownerId: string; expiries: number[] }[] => [...cache.expiries()];
  cache.learn('owner', [token({ expiresAt: clock.at + 1000 }), token({ slot: 'b', expiresAt: clock.at + 500 })], 0, clock.monotonic());
  expect(told()).toEqual([{ ownerId: 'owner', expiries: [clock.at + 1000, clock.at + 500] }]);
  clock.at += 1000;
  expect(told()).toEqual([{ ownerId: 'owner', expiries: [] }]);
  cache.hear('owner', token({ uc: 1000, phase: 'gone', accessToken: '' }));
  expect(told()).toEqual([{ ownerId: 'owner', expiries: [] }]);
  cache.hear('owner', token({ slot: 'b', uc: 1000, phase: 'gone', accessToken: '' }));
  expect(told()).toEqual([]);
});

test('who waited leaves nothing behind', async () => {
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 50 }, () => cache.arrival('owner', 5, signal)));
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  const arrival = cache.arrival('owner', 60_000, signal);
  cache.hear('owner', token());
  await arrival;
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});
