import { beforeAll, describe, expect, it } from 'vitest';

import { controls } from '../chaos/controls/all.ts';
import { trialOf, type Trial } from '../chaos/controls/trial.ts';
import type { Finding } from '../chaos/evidence.ts';
import { guards } from '../chaos/sabotage/guards.ts';

/** For the start of two clusters, and for what may take its time in them. */
const trialTimeoutMs = 120_000;

it('there is a control for every guard, or the guard is the second of two', () => {
  expect(controls.flatMap(({ guard, beside }) => [guard, ...beside])).toEqual(expect.arrayContaining(Object.keys(guards)));
});

describe.each(controls.map((control) => [control.temptation, control] as const))('%s', (_, control) => {
  const { guard, harm } = control;
  let trial: Trial;
  beforeAll(async () => { trial = await trialOf(control); }, trialTimeoutMs);

  it(`does no harm where the ${guard} stands`, () => {
    expect(trial.guarded.filter(({ violations }) => violations.length > 0)).toEqual([]);
    expect(caseCount(trial.guarded, trial.unguarded)).toBeGreaterThan(0);
  });

  it(`without the ${guard} ${harm}, and the checker says so`, () => {
    expect(trial.unguarded.violations).not.toEqual([]);
  });
});

/** Of the invariant that was broken without the guard. */
function caseCount(guarded: readonly Finding[], { invariant }: Finding): number {
  return guarded.find((finding) => finding.invariant === invariant)?.cases ?? 0;
}
