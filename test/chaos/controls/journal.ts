import { seenAnswersRecorded } from '../checker/seen-answers-recorded.ts';
import type { Control } from './control.ts';

export const journal: Control = {
  guard: 'journal',
  // What the courier keeps in Redis is lost with Redis.
  beside: [],
  temptation: 'a node that is killed with its courier when an answer is kept, while Redis loses what it holds,',
  harm: 'comes back without the answer',
  caughtBy: seenAnswersRecorded,
  nodes: 1,
  tempt: async (stage) => {
    const node = stage.world.nodes[0]!;
    const { starts } = node;
    await stage.refreshTo('after-keep', 'kill', 'both');
    await stage.observers.redis.flushall();
    stage.diary.courierDied();
    stage.diary.nodeDied();
    if (!(await stage.isBroken())) throw new Error('The situation did not come about in which nobody but the journal has the answer');
    await stage.until('the node is back', async () => node.starts > starts && (await node.process.isReady()));
    await stage.within(stage.isHarmless ? 20_000 : 2000, async () => !(await stage.isBroken()));
  },
};
