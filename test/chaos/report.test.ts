import { describe, expect, it } from 'vitest';

import { addedUp, markdownOf, reportLines, verdictOf } from './report.ts';
import type { RunFigures } from './report.ts';

const figures: RunFigures = {
  seed: 42,
  seconds: 120,
  nodes: 3,
  owners: 20,
  setting: 'one Redis',
  faults: new Map([['the master is killed', 3], ['Redis is flushed', 2]]),
  reads: { reads: 12_000, failed: 12, slowestMs: 811.7, p99Ms: 4.25 },
  excused: { nobodyUp: 8, lostGrants: 4 },
  refreshes: 400,
  doubts: [
    { version: 1, since: 0, settlement: 'asked again inside the window of grace' },
    { version: 2, since: 0, settlement: 'an operator inserted a new grant' },
    { version: 3, since: 0, settlement: 'an operator inserted a new grant' },
  ],
  findings: [{ invariant: 'Nothing is lost', cases: 400, violations: [] }, { invariant: 'Nothing is sent twice', cases: 0, violations: [] }],
  floor: { readsPerMinute: 600, refreshesPerMinute: 60 },
};
const broken: RunFigures = { ...figures, findings: [...figures.findings, { invariant: 'Nothing goes back', cases: 9, violations: ['1', '2', '3', '4', '5', '6', '7'] }] };

describe('the verdict', () => {
  it('of a run in which all held is 0', () => {
    expect(verdictOf(figures)).toEqual({ kind: 'kept', text: 'Every invariant held.', exitCode: 0 });
  });

  it('of a broken invariant is 1, however little traffic there was', () => {
    expect(verdictOf({ ...broken, refreshes: 0 })).toEqual({ kind: 'broken', text: 'BROKEN: 1 invariant of 3.', exitCode: 1 });
  });

  it.each<[string, Partial<RunFigures>, string]>([
    ['too few reads', { reads: { ...figures.reads, reads: 1199 } }, 'NO RESULT: 599 reads a minute, at least 600 are needed to show anything.'],
    ['too few refreshes', { refreshes: 119 }, 'NO RESULT: 59 refreshes a minute, at least 60 are needed to show anything.'],
    ['no faults', { faults: new Map() }, 'NO RESULT: nothing was done to the cluster.'],
    ['no checks', { findings: [] }, 'NO RESULT: nothing was checked.'],
    ['no time', { seconds: 0 }, 'NO RESULT: 0 reads a minute, at least 600 are needed to show anything; 0 refreshes a minute, at least 60 are needed to show anything.'],
  ])('of %s is no result', (_name, over, text) => {
    expect(verdictOf({ ...figures, ...over })).toEqual({ kind: 'no result', text, exitCode: 1 });
  });
});

it('the report is a table of what was done, what was served and what held', () => {
  expect(reportLines(figures).join('\n')).toMatchInlineSnapshot(`
    "5 faults in 2 min on 3 nodes with 20 owners (one Redis; seed 42)

    Faults
       Redis is flushed      2
       the master is killed  3

    Traffic
       reads served                                      11,988  6,000 a minute, each token checked with the provider that issued it
       reads failed                                           0
       reads that nobody could serve                         12  8 while no node was up, 4 of owners all of whose grants were lost
       slowest read while a node was up                  812 ms  99 % within 4.3 ms
       refreshes                                            400  200 a minute
       tokens in doubt                                        3
       in doubt: asked again inside the window of grace       1
       in doubt: an operator inserted a new grant             2

    Invariants
       0 violations of 400  Nothing is lost
         0 violations of 0  Nothing is sent twice (not shown: there was no case)

    Every invariant held."
  `);
});

it('what broke is shown, the first five of each', () => {
  const lines = reportLines(broken);
  expect(lines.slice(lines.indexOf('Violations'))).toEqual(['Violations', '   Nothing goes back:', ...['1', '2', '3', '4', '5'].map((line) => `      ${line}`), '      and 2 more', '', 'BROKEN: 1 invariant of 3.']);
});

it('for a document it is markdown, with a bound on what was not seen', () => {
  expect(markdownOf(figures)).toMatchInlineSnapshot(`
    "5 faults in 2 min on 3 nodes with 20 owners (one Redis; seed 42). Every invariant held.

    | Invariant | Violations | of | at most (95 %) |
    |---|--:|--:|--:|
    | Nothing is lost | 0 | 400 | 0.75 % |
    | Nothing is sent twice | 0 | 0 |  |

    | Traffic |  |
    |---|--:|
    | reads served (6,000 a minute, each token checked with the provider that issued it) | 11,988 |
    | reads failed | 0 |
    | reads that nobody could serve (8 while no node was up, 4 of owners all of whose grants were lost) | 12 |
    | slowest read while a node was up (99 % within 4.3 ms) | 812 ms |
    | refreshes (200 a minute) | 400 |
    | tokens in doubt | 3 |
    | in doubt: asked again inside the window of grace | 1 |
    | in doubt: an operator inserted a new grant | 2 |

    | Fault | times |
    |---|--:|
    | Redis is flushed | 2 |
    | the master is killed | 3 |
    "
  `);
});

it('runs on several clusters add up', () => {
  const both = addedUp([figures, { ...broken, reads: { ...figures.reads, slowestMs: 900 } }]);
  expect(both).toMatchObject({
    seconds: 240,
    faults: new Map([['the master is killed', 6], ['Redis is flushed', 4]]),
    reads: { reads: 24_000, failed: 24, slowestMs: 900, p99Ms: 4.25 },
    excused: { nobodyUp: 16, lostGrants: 8 },
    refreshes: 800,
  });
  expect(both.doubts).toHaveLength(6);
  expect(both.findings.map(({ cases, violations }) => [cases, violations.length])).toEqual([[800, 0], [0, 0], [9, 7]]);
});
