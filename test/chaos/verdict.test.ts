import { expect, it } from 'vitest';

import type { LegFigures } from './figures.ts';
import { forgedLeg, forgedRun } from './forged-figures.ts';
import { verdictOf } from './verdict.ts';

const [lost, twice] = forgedLeg.findings as [LegFigures['findings'][number], LegFigures['findings'][number]];
const broken = [lost, twice, { invariant: 'Nothing goes back', cases: 9, violations: ['1', '2'] }];

it('of a run in which all held is 0', () => {
  expect(verdictOf(forgedRun())).toEqual({ kind: 'kept', text: 'Every invariant held.', exitCode: 0 });
});

it('of a broken invariant is 1, however little traffic there was', () => {
  expect(verdictOf(forgedRun({ findings: broken, refreshes: 0 }))).toEqual({ kind: 'broken', text: 'BROKEN: 1 invariant of 3.', exitCode: 1 });
});

it('says which invariant was not shown, where it is one whose cases chance brings', () => {
  const text = 'Every invariant held that had a case. Not shown, for there was none: Nothing is sent twice.';
  expect(verdictOf(forgedRun({ findings: [lost, { ...twice, cases: 0, isOccasional: true }] }))).toEqual({ kind: 'kept', text, exitCode: 0 });
});

it.each<[string, Partial<LegFigures>, string]>([
  ['too few reads', { reads: { ...forgedLeg.reads, reads: 1499, failed: 0 } }, '599 reads served a minute, at least 600 are needed to show anything'],
  ['too few reads that were served', { reads: { ...forgedLeg.reads, failed: 12_012 - 1499 } }, '599 reads served a minute, at least 600 are needed to show anything'],
  ['too few refreshes', { refreshes: 149 }, '59 refreshes a minute, at least 60 are needed to show anything'],
  ['no faults', { faults: new Map() }, 'nothing was done to the cluster'],
  ['no checks', { findings: [] }, 'nothing was checked'],
  ['an invariant that any traffic makes cases of, and that had none', { findings: [lost, { ...twice, cases: 0 }] }, 'no case of "Nothing is sent twice"'],
  ['no time', { watchedSeconds: 0 }, '0 reads served a minute, at least 600 are needed to show anything; one Redis: 0 refreshes a minute, at least 60 are needed to show anything'],
])('of %s is no result', (_name, over, text) => {
  expect(verdictOf(forgedRun(over))).toEqual({ kind: 'no result', text: `NO RESULT: one Redis: ${text}.`, exitCode: 1 });
});

it('of a run is no result where one cluster had no traffic, however much the others had', () => {
  const dead = { ...forgedLeg, setting: 'Redis Cluster', reads: { ...forgedLeg.reads, reads: 0, failed: 0 } };
  const run = forgedRun({ reads: { ...forgedLeg.reads, reads: 90_000 } });
  expect(verdictOf({ ...run, legs: [forgedLeg, dead, forgedLeg] }).text).toBe('NO RESULT: Redis Cluster: 0 reads served a minute, at least 600 are needed to show anything.');
  expect(verdictOf({ ...run, legs: [] })).toMatchObject({ kind: 'no result', text: 'NO RESULT: there was no cluster.' });
});

it.each([[1500, 'kept'], [1499, 'no result']])('at the floor there is enough: %d reads served in 150 s', (served, kind) => {
  expect(verdictOf(forgedRun({ reads: { ...forgedLeg.reads, reads: served + 7, failed: 7 }, refreshes: 150 })).kind).toBe(kind);
});
