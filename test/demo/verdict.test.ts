import { expect, test } from 'vitest';

import { brokenPromises, failedReads, rowsOf } from './verdict.ts';
import type { DemoReads, Outcome } from './verdict.ts';

const reads: DemoReads = { reads: 4000, failed: 0, slowestMs: 38.4, p99Ms: 3.21, expired: 0, revoked: 0, wrongOwner: 0, unknown: 0, failures: [] };

const good: Outcome = {
  reads, resent: 2, refreshes: 14, refreshesByNewMaster: 9, presentedTwice: 0, grantsRevoked: 0, rowsInClear: 0, secretsInLogs: 0, newMasterAfterMs: 1900, firstRefreshAfterMs: 2100, longestPauseMs: 12,
};

test('a show in which nothing went wrong keeps every promise', () => {
  expect(brokenPromises(good)).toEqual([]);
});

test.each<[Partial<Outcome>, string]>([
  [{ reads: { ...reads, failed: 3 } }, '3 of 4000 reads failed'],
  [{ reads: { ...reads, reads: 0 } }, 'nothing was read'],
  [{ refreshesByNewMaster: 0 }, 'the new master refreshed nothing'],
  [{ presentedTwice: 1 }, '1 refresh tokens were presented twice'],
  [{ grantsRevoked: 1 }, '1 grants were revoked'],
  [{ rowsInClear: 2 }, '2 token rows stand in the clear in MySQL'],
  [{ secretsInLogs: 1 }, '1 secrets stand in the logs of the nodes'],
])('%o breaks a promise', (change, broken) => {
  expect(brokenPromises({ ...good, ...change })).toEqual([broken]);
});

test('the table says what was counted', () => {
  const rows = Object.fromEntries(rowsOf({ ...good, reads: { ...reads, failed: 2, expired: 2 } }).map(({ label, value, note }) => [label, `${value} ${note ?? ''}`]));
  expect(rows).toMatchObject({ 'reads served': '3,998 each token checked with the OAuth2 server', 'reads failed': '2 expired 2', 'slowest read': '38 ms 99 % within 3.2 ms', 'kill to new master': '1.9 s ' });
});

test('a slow read is not blamed on the service alone when the machine was slow', () => {
  const slowest = rowsOf({ ...good, longestPauseMs: 700 }).find(({ label }) => label === 'slowest read');
  expect(slowest?.note).toBe('99 % within 3.2 ms; busy machine: this demo itself paused 700 ms');
});

test('failed reads are told without their tokens', () => {
  const failure = { at: '2026-01-01T00:00:00.000Z', url: 'http://127.0.0.1:1/tokenservice/acme', status: 200, why: 'expired', tookMs: 2, token: '0123456789ab' };
  const lines = failedReads({ ...reads, failures: [failure, { ...failure, status: null, why: 'ECONNRESET' }] });
  expect(lines).toEqual([
    '2026-01-01T00:00:00.000Z /tokenservice/acme: 200, expired, after 2.0 ms, token 0123456789ab',
    '2026-01-01T00:00:00.000Z /tokenservice/acme: no answer, ECONNRESET, after 2.0 ms, token 0123456789ab',
  ]);
});
