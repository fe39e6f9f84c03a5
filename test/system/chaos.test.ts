import { beforeAll, describe, expect, it } from 'vitest';

import type { RunFigures } from '../chaos/figures.ts';
import { readOptions } from '../chaos/options.ts';
import { reportLines } from '../chaos/report.ts';
import { runStorms } from '../chaos/storms.ts';
import { verdictOf } from '../chaos/verdict.ts';

/** Those for which there is a layout of Redis other than alone: in a leg of 24 s they may never have their turn. */
const failovers = ['Sentinel fails over from a killed primary', 'a master of the Redis Cluster is killed'];

const options = readOptions(['--minutes', '2', '--seed', '20261122', '--owners', '45', ...failovers.flatMap((kind) => ['--first', kind])]);

let figures: RunFigures;

beforeAll(async () => {
  figures = await runStorms(options, () => undefined, { onEnd: () => Promise.resolve(), onBreakdown: () => Promise.resolve() });
  process.stdout.write(`${reportLines(figures).join('\n')}\n`);
}, 420_000);

describe('While faults come in pairs for two minutes, under a Redis alone, behind Sentinel and as Cluster', () => {
  it('enough of everything happens to tell', () => {
    expect(verdictOf(figures).text).not.toContain('NO RESULT');
    expect([...figures.faults.values()].reduce((sum, times) => sum + times, 0)).toBeGreaterThan(20);
  });

  it.each(failovers)('it comes about that %s', (kind) => {
    expect(figures.faults.get(kind)).toBeGreaterThanOrEqual(1);
  });

  it('every invariant holds', () => {
    expect(figures.findings.filter(({ violations }) => violations.length > 0)).toEqual([]);
    expect(figures.findings.length).toBeGreaterThan(10);
  });
});
