import { recordMovesForward } from '../checker/record-moves-forward.ts';
import type { Control } from './control.ts';

export const uniqueParent: Control = {
  guard: 'unique parent',
  // Of the two that make recording idempotent, this one looks at the attempt under the lock of the row.
  beside: ['attempt check of the record'],
  temptation: 'a master that sleeps before it records an answer while the next one finds the answer and records it',
  harm: 'gives the token a second successor',
  caughtBy: recordMovesForward,
  nodes: 2,
  tempt: async (stage) => {
    const before = await stage.refreshes();
    const asleep = await stage.refreshTo('before-record', 'pause', 'itself');
    await stage.until('the next master records the answer', async () => (await stage.refreshes()) > before);
    stage.wake(asleep);
    await stage.aftermath();
  },
};
