import { expect, it } from 'vitest';

import { addedUp, perMinute } from './figures.ts';
import { forgedLeg } from './forged-figures.ts';

it('runs on several clusters add up', () => {
  const other = {
    ...forgedLeg,
    setting: 'Redis Cluster',
    kinds: ['the master is killed', 'a disk is full'],
    faults: new Map([['the master is killed', 1]]),
    missed: new Map([['killed at a point', 2]]),
    leftOut: new Map([['a disk is full', 'there is none']]),
    reads: { ...forgedLeg.reads, slowestMs: 900, slowestOfAllMs: 9 },
    findings: [...forgedLeg.findings, { invariant: 'Nothing goes back', cases: 9, violations: ['1', '2'], isOccasional: true }],
  };
  const both = addedUp([forgedLeg, other]);
  expect(both).toMatchObject({
    setting: 'one Redis, Redis Cluster',
    seconds: 240,
    watchedSeconds: 300,
    kinds: ['the master is killed', 'Redis is flushed', 'a disk is full'],
    faults: new Map([['the master is killed', 4], ['Redis is flushed', 2]]),
    missed: new Map([['killed at a point', 2]]),
    leftOut: new Map([['a disk is full', 'there is none']]),
    reads: { reads: 24_024, failed: 24, slowestMs: 900, p99Ms: 4.25, slowestOfAllMs: 15_003 },
    excused: { nobodyUp: 16, lostGrants: 8 },
    refreshes: 800,
  });
  expect(both.doubts).toHaveLength(6);
  expect(both.findings.map(({ cases, violations, isOccasional }) => [cases, violations.length, isOccasional])).toEqual([[800, 0, false], [18, 0, false], [9, 2, true]]);
});

it('what is counted by the minute is counted while callers read, and in no time there is nothing', () => {
  expect(perMinute(300, forgedLeg)).toBe(120);
  expect(perMinute(300, { watchedSeconds: 0 })).toBe(0);
});
