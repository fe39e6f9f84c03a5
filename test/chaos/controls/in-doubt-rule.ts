import { presentedOnce } from '../checker/presented-once.ts';
import type { Control } from './control.ts';

export const inDoubtRule: Control = {
  guard: 'in-doubt rule',
  // It does not even try where the policy forbids it; the rule is the record's, asked in the transaction of the claim.
  beside: ['policy check of the settler'],
  temptation: 'a token whose answer was lost, at a provider that takes a second use for theft,',
  harm: 'is presented once more',
  caughtBy: presentedOnce,
  nodes: 1,
  tempt: async (stage) => {
    const { strict } = stage.world.population.providers;
    strict.next({ kind: 'lose-answer' });
    await stage.makeDue();
    await stage.until('an answer is lost', () => strict.account.presentations.some(({ behaviour }) => behaviour === 'lose-answer'));
    await stage.until('the token is in doubt', async () => (await stage.world.record.query("SELECT id FROM history WHERE newstate = 'in_doubt'")).length > 0);
    await stage.aftermath();
  },
};
