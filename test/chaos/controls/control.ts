import type { Check } from '../evidence.ts';
import type { Guard } from '../sabotage/guards.ts';
import type { Stage } from './stage.ts';

/**
 * Shows that a guard is needed, and that the checker would see that it is gone: the same temptation once with the guard and once without. Where
 * other defences would hold by themselves, they are left out of both clusters, so that nothing but the guard stands between the temptation
 * and the harm; and a third cluster shows that they hold where only the guard is gone.
 */
export interface Control {
  readonly guard: Guard;
  /** The other defences. */
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
