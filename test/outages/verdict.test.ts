import { describe, expect, test } from 'vitest';

import type { OutageFacts } from './outage.ts';
import type { NotedRead } from './reads.ts';
import { promisesOf, promisesOfStart, type Bounds } from './verdict.ts';

const from = 1_900_000_000_000;
const until = from + 60_000;
const recoveredMs = 1500;
const bounds: Bounds = { recoveredMs: 20_000, waitMs: 2000, leastReads: 4, briefSlots: 2, tokenSeconds: 20 };

function read(over: Partial<NotedRead> = {}): NotedRead {
  return { owner: 'brief 0', sentAt: from + 30_000, endedAt: from + 32_100, lasts: false, why: undefined, badToken: false, ...over };
}

const expired = ['a', 'b'].map((key) => ({ key, owner: 'brief 0', lasts: false, expiresAt: from + 20_000, succeededAt: until + 500 }));
const reads = [read(), read({ why: 'TPS0005' }), read({ why: 'TP0002' }), read({ owner: 'lasting 1', lasts: true, endedAt: from + 30_002 })];

const standing: OutageFacts = {
  outage: { name: 'MySQL', seconds: 60, begin: () => Promise.resolve(), end: () => Promise.resolve() },
  from,
  until,
  reads,
  failedInVain: [],
  refreshes: [from - 1000, from + 1000, until + 500],
  expired,
  lapses: { counted: 2, inHistory: ['a', 'b'], mailed: ['b', 'a'], mails: 1 },
  withoutToken: { inBooks: 1, shown: 1 },
  presentedTwice: 0,
  grantsRevoked: 0,
  recoveredMs,
};

const goingOn: OutageFacts = {
  ...standing,
  reads: reads.map((one) => ({ ...one, why: undefined })),
  refreshes: Array.from({ length: 6 }, (_, index) => from + index * 9000),
  expired: [],
  lapses: { counted: 0, inHistory: [], mailed: [], mails: 0 },
  withoutToken: { inBooks: 0, shown: 0 },
};

function broken(facts: OutageFacts, kind: 'redis' | 'mysql' | 'both'): string[] {
  return promisesOf(facts, kind, bounds).filter(({ kept }) => !kept).map(({ text }) => text);
}

test('what should be, keeps every promise', () => {
  expect(broken(goingOn, 'redis')).toEqual([]);
  expect(broken(standing, 'mysql')).toEqual([]);
  expect(broken(standing, 'both')).toEqual([]);
});

describe('a promise is broken by', () => {
  test.each<[string, Partial<OutageFacts>, RegExp]>([
    ['too few reads', { reads: reads.slice(1) }, /enough traffic/],
    ['a failed read of an owner whose tokens live longer', { reads: [...reads, read({ lasts: true, why: 'TP0002' })] }, /live longer/],
    ['reads that take their time, though there is a token', { reads: [...reads, read({ owner: 'lasting 1', lasts: true, endedAt: from + 31_000 })] }, /at once/],
    ['a token that is not good', { reads: [...reads, read({ why: 'expired', badToken: true })] }, /handed out/],
    ['a read that failed though there was a token', { failedInVain: [read({ why: 'TPS0005' })] }, /held a token/],
    ['a read that failed when all was well again', { reads: [...reads, read({ sentAt: until + 2000, endedAt: until + 4000, why: 'TPS0005' })] }, /before, or once/],
    ['a read that failed before', { reads: [...reads, read({ sentAt: from - 900, endedAt: from - 800, why: 'TPS0005' })] }, /before, or once/],
    ['a refresh token presented twice', { presentedTwice: 1 }, /presented twice/],
    ['a grant revoked', { grantsRevoked: 1 }, /revoked/],
    ['slots that stay without a token', { recoveredMs: Infinity }, /soon after the return/],
    ['a request sent without MySQL', { refreshes: [from + 30_000] }, /without MySQL/],
    ['no token that expired', { expired: [], withoutToken: { inBooks: 0, shown: 0 } }, /tokens did expire/],
    ['a long-lived token that expired', { expired: [...expired, { ...expired[0]!, key: 'a', lasts: true }] }, /live longer did/],
    ['one that is not in the history', { lapses: { counted: 1, inHistory: ['a'], mailed: ['a', 'b'], mails: 1 } }, /in the history/],
    ['one that was not mailed', { lapses: { counted: 2, inHistory: ['a', 'b'], mailed: ['a', 'a'], mails: 2 } }, /mailed/],
    ['a metric that counts otherwise', { lapses: { counted: 3, inHistory: ['a', 'b'], mailed: ['a', 'b'], mails: 1 } }, /metric/],
    ['an owner without a token that no node shows', { withoutToken: { inBooks: 2, shown: 1 } }, /showed/],
    ['another code', { reads: [...reads, read({ why: 'TP0001' })] }, /were told/],
    ['a refusal that comes late', { reads: [...reads, read({ endedAt: from + 40_000, why: 'TPS0005' })] }, /their wait was over/],
  ])('%s', (_, over, text) => {
    expect(broken({ ...standing, ...over }, 'mysql')).toContainEqual(expect.stringMatching(text));
  });

  test.each<[string, Partial<OutageFacts>, RegExp]>([
    ['a read that fails without Redis', { reads }, /no read failed at all/],
    ['refreshes that stop without it', { refreshes: [] }, /refreshes went on/],
    ['a token that expires without it', { expired }, /no token expired/],
  ])('%s', (_, over, text) => {
    expect(broken({ ...goingOn, ...over }, 'redis')).toContainEqual(expect.stringMatching(text));
  });
});

describe('of a node that is started without stores', () => {
  const good = { asked: 20, answered: 0, saidWaiting: 'The database does not answer; trying for 90 s', readyMs: 2000, exitCode: 1, saidEnding: 'Unable to start the server. mysql is unavailable: ECONNREFUSED' };
  const brokenStart = (over: Partial<typeof good>): number => promisesOfStart({ ...good, ...over }, 20_000).filter(({ kept }) => !kept).length;

  test('nothing is wanted but that it waits and says so, or ends and says why', () => {
    expect(brokenStart({})).toBe(0);
  });

  test.each<Partial<typeof good>>([{ asked: 0 }, { answered: 1 }, { saidWaiting: '' }, { readyMs: 30_000 }, { exitCode: 0 }, { saidEnding: '' }])('%j is a broken promise', (over) => {
    expect(brokenStart(over)).toBe(1);
  });
});
