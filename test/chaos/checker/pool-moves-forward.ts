import type { Check } from '../evidence.ts';

/** As the sampler saw it: nothing excuses a lower rank, neither a flush nor a restart. */
export const poolMovesForward: Check = ({ poolWatch }) => ({
  invariant: 'Versions never go backwards in Redis',
  cases: poolWatch.samples,
  violations: poolWatch.stepsBack,
});
