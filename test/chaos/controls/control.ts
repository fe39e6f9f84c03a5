import type { Check } from '../evidence.ts';
import type { Guard } from '../sabotage/guards.ts';
import type { Stage } from './stage.ts';

/** Shows that a guard is needed, and that the checker would see that it is gone: the same temptation, once with the guard and once without. */
export interface Control {
  readonly guard: Guard;
  /** Defences that would hold by themselves: left out of both clusters, so that nothing but the guard stands between the temptation and the harm. */
  readonly beside: readonly Guard[];
  /** What happens in both, as the subject of a sentence. */
  readonly temptation: string;
  /** What comes of it without the guard: the predicate. */
  readonly harm: string;
  /** The invariant that is broken then. */
  readonly caughtBy: Check;
  readonly nodes: 1 | 2;
  /** Rejects where the situation did not come about: then nothing was shown. */
  readonly tempt: (stage: Stage) => Promise<void>;
}
