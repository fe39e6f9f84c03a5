import { presentedOnce } from '../checker/presented-once.ts';
import type { Control } from './control.ts';

export const claimCompareAndSet: Control = {
  guard: 'claim compare-and-set',
  // An older term's claim, a second claim on one refresh token, and a claim that outlives its term, are each refused by themselves.
  beside: ['epoch lock', 'unique fingerprint', 'unsent claims end with the term'],
  temptation: 'a master that sleeps before its claim while the next one refreshes the token',
  harm: 'claims what has been replaced and presents the refresh token once more',
  caughtBy: presentedOnce,
  nodes: 2,
  tempt: async (stage) => {
    const asleep = await stage.refreshTo('before-claim', 'pause', 'itself');
    const before = await stage.refreshes();
    await stage.until('the next master refreshes the token', async () => (await stage.refreshes()) > before);
    stage.wake(asleep);
    await stage.aftermath();
  },
};
