import { epochsFence } from '../checker/epochs-fence.ts';
import type { Control } from './control.ts';

export const epochLock: Control = {
  guard: 'epoch lock',
  beside: [],
  temptation: 'a master that sleeps before its claim until another term has begun, in which nobody has touched the token yet,',
  harm: 'claims the token in a term that is over',
  caughtBy: epochsFence,
  nodes: 2,
  tempt: async (stage) => {
    const asleep = await stage.refreshTo('before-claim', 'pause', 'itself');
    // Callers have one node that sleeps and one of which nobody knows yet that it is back.
    await stage.diary.nobodyUp(async () => {
      const next = await stage.nextAt('before-claim', 'pause', 'itself');
      stage.wake(asleep);
      await stage.aftermath();
      stage.wake(next);
    });
  },
};
