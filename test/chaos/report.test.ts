import { expect, it } from 'vitest';

import { forgedLeg, forgedRun } from './forged-figures.ts';
import { markdownOf, reportLines } from './report.ts';

const notShown = { invariant: 'Nothing is seen', cases: 0, violations: [], isOccasional: true };
const broken = { invariant: 'Nothing goes back', cases: 9, violations: ['1', '2', '3', '4', '5', '6', '7'] };

/** In which some of what was planned did not come about. */
const lacking = forgedRun({
  kinds: [...forgedLeg.kinds, 'killed at a point', 'paused at a point', 'a disk is full'],
  missed: new Map([['killed at a point', 2], ['the master is killed', 1], ['a disk is full', 4]]),
  leftOut: new Map([['a disk is full', 'nothing can be mounted']]),
  findings: [...forgedLeg.findings, notShown],
});

it('the report is a table of what was done, what was served and what held', () => {
  expect(reportLines(forgedRun()).join('\n')).toMatchInlineSnapshot(`
    "5 faults in 2 min on 3 nodes with 20 owners (one Redis; seed 42)

    Faults
       Redis is flushed      2
       the master is killed  3

    Kinds of faults
       Each of 2 kinds came about.

    Traffic
       reads served                                         12,000  4,800 a minute, each token checked with the provider that issued it
       reads failed                                              0
       reads that nobody could serve                            12  8 while no node was up, 4 of owners all of whose grants were lost
       slowest read while a node was up                     812 ms  99 % within 4.3 ms
       slowest read of all                               15,003 ms  of those too that failed or met no node
       refreshes                                               400  160 a minute
       tokens in doubt                                           3
       in doubt: asked again inside the window of grace          1
       in doubt: an operator inserted a new grant                2

    Invariants
       0 violations of 400  Nothing is lost
         0 violations of 9  Nothing is sent twice

    Every invariant held."
  `);
});

it('what did not come about is named: what nobody came along for, what never had its turn, and what cannot be done here', () => {
  const lines = reportLines(lacking);
  expect(lines.slice(lines.indexOf('Planned, but nothing came along'), lines.indexOf('Traffic')).join('\n')).toMatchInlineSnapshot(`
    "Planned, but nothing came along
       killed at a point     2
       the master is killed  1

    Kinds of faults
       Left out: a disk is full (nothing can be mounted).
       Never came about, 2 of 4 kinds: killed at a point; paused at a point.
    "
  `);
  expect(lines).toContain('     0 violations of 0  Nothing is seen (not shown: there was no case)');
});

it('a run without a choice of kinds says nothing of them', () => {
  expect(reportLines(forgedRun({ kinds: [] }))).not.toContain('Kinds of faults');
});

it('what broke is shown, the first five of each', () => {
  const lines = reportLines(forgedRun({ findings: [...forgedLeg.findings, broken] }));
  expect(lines.slice(lines.indexOf('Violations'))).toEqual(['Violations', '   Nothing goes back:', ...['1', '2', '3', '4', '5'].map((line) => `      ${line}`), '      and 2 more', '', 'BROKEN: 1 invariant of 3.']);
});

it('for a document it is markdown, with a bound on what was not seen', () => {
  expect(markdownOf(lacking)).toMatchInlineSnapshot(`
    "5 faults in 2 min on 3 nodes with 20 owners (one Redis; seed 42). Every invariant held that had a case. Not shown, for there was none: Nothing is seen.

    | Invariant | Violations | of | at most (95 %) |
    |---|--:|--:|--:|
    | Nothing is lost | 0 | 400 | 0.75 % |
    | Nothing is sent twice | 0 | 9 | 33 % |
    | Nothing is seen | 0 | 0 | not shown |

    | Traffic |  |
    |---|--:|
    | reads served (4,800 a minute, each token checked with the provider that issued it) | 12,000 |
    | reads failed | 0 |
    | reads that nobody could serve (8 while no node was up, 4 of owners all of whose grants were lost) | 12 |
    | slowest read while a node was up (99 % within 4.3 ms) | 812 ms |
    | slowest read of all (of those too that failed or met no node) | 15,003 ms |
    | refreshes (160 a minute) | 400 |
    | tokens in doubt | 3 |
    | in doubt: asked again inside the window of grace | 1 |
    | in doubt: an operator inserted a new grant | 2 |

    | Fault | times |
    |---|--:|
    | Redis is flushed | 2 |
    | the master is killed | 3 |

    | Planned, but nothing came along | times |
    |---|--:|
    | killed at a point | 2 |
    | the master is killed | 1 |

    Left out: a disk is full (nothing can be mounted).

    Never came about, 2 of 4 kinds: killed at a point; paused at a point.
    "
  `);
});

it('markdown bounds nothing that broke', () => {
  expect(markdownOf(forgedRun({ findings: [broken] }))).toContain('| Nothing goes back | 7 | 9 |  |');
});
