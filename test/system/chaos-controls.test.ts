import { beforeAll, describe, expect, it } from 'vitest';

import { controls } from '../chaos/controls/all.ts';
import { trialOf, type Trial } from '../chaos/controls/trial.ts';
import type { Finding } from '../chaos/evidence.ts';
import type { LegFigures } from '../chaos/figures.ts';
import { guards } from '../chaos/sabotage/guards.ts';
import { floor } from '../chaos/storms.ts';
import { verdictOf } from '../chaos/verdict.ts';

/** For the start of three clusters, and for what may take its time in them. */
const trialTimeoutMs = 120_000;

it('there is a control for every guard, or it stands beside one that has a control', () => {
  expect(controls.flatMap(({ guard, beside }) => [guard, ...beside])).toEqual(expect.arrayContaining(Object.keys(guards)));
});

describe.each(controls.map((control) => [control.guard, control] as const))('the %s', (_, control) => {
  const { beside, temptation, harm } = control;
  const [alone, withThem] = beside.length > 0 ? [' alone', ' with them'] : ['', ''];
  let trial: Trial;
  beforeAll(async () => { trial = await trialOf(control); }, trialTimeoutMs);

  it(`holds${alone}: ${temptation} does no harm`, () => {
    expect(broken(trial.guarded)).toEqual([]);
    expect(caseCount(trial.guarded, trial.unguarded)).toBeGreaterThan(0);
  });

  it('has too little traffic in that to be the result of a run, though nothing is violated', () => {
    expect(verdictOf({ ...trial.guarded, legs: [trial.guarded], floor, seed: 0, nodes: control.nodes, owners: 1 })).toMatchObject({ kind: 'no result', exitCode: 1 });
  });

  if (beside.length > 0) {
    it(`once gone is covered by ${beside.join(', ')}`, () => {
      expect(broken(trial.covered!)).toEqual([]);
      expect(caseCount(trial.covered!, trial.unguarded)).toBeGreaterThan(0);
    });
  }

  it(`once gone${withThem} is missed: ${temptation} ${harm}, and the checker says so`, () => {
    expect(trial.unguarded.violations).not.toEqual([]);
  });
});

function broken({ findings }: LegFigures): Finding[] {
  return findings.filter(({ violations }) => violations.length > 0);
}

/** Of the invariant that was broken without the guard. */
function caseCount({ findings }: LegFigures, { invariant }: Finding): number {
  return findings.find((finding) => finding.invariant === invariant)?.cases ?? 0;
}
