import type { LegFigures, RunFigures } from './figures.ts';

/** Of one cluster on which all was well. */
export const forgedLeg: LegFigures = {
  setting: 'one Redis',
  seconds: 120,
  watchedSeconds: 150,
  kinds: ['the master is killed', 'Redis is flushed'],
  faults: new Map([['the master is killed', 3], ['Redis is flushed', 2]]),
  missed: new Map(),
  leftOut: new Map(),
  reads: { reads: 12_012, failed: 12, slowestMs: 811.7, p99Ms: 4.25, slowestOfAllMs: 15_003 },
  excused: { nobodyUp: 8, lostGrants: 4 },
  refreshes: 400,
  doubts: [
    { version: 1, since: 0, settlement: 'asked again inside the window of grace' },
    { version: 2, since: 0, settlement: 'an operator inserted a new grant' },
    { version: 3, since: 0, settlement: 'an operator inserted a new grant' },
  ],
  findings: [{ invariant: 'Nothing is lost', cases: 400, violations: [] }, { invariant: 'Nothing is sent twice', cases: 9, violations: [] }],
};

/** Of a run over one cluster. */
export function forgedRun(over: Partial<LegFigures> = {}): RunFigures {
  const leg = { ...forgedLeg, ...over };
  return { ...leg, legs: [leg], seed: 42, nodes: 3, owners: 20, floor: { readsPerMinute: 600, refreshesPerMinute: 60 } };
}
