import { seenAnswersRecorded } from '../checker/seen-answers-recorded.ts';
import type { Control } from './control.ts';

export const journal: Control = {
  guard: 'journal',
  // What the courier keeps in Redis too needs a Redis.
  beside: [],
  temptation: 'a node that is killed with its courier when an answer is kept, while Redis is away,',
  harm: 'comes back without the answer',
  caughtBy: seenAnswersRecorded,
  nodes: 1,
  tempt: async (stage) => {
    const { world, diary } = stage;
    const [node, redis] = [world.nodes[0]!, world.redis.only!];
    const { starts } = node;
    await redis.kill();
    await diary.nobodyUp(async () => {
      await stage.refreshTo('after-keep', 'kill', 'both');
      diary.courierDied(node.name);
      diary.nodeDied(node.name);
      if (!(await stage.isBroken())) throw new Error('The situation did not come about in which nobody but the journal has the answer');
      await redis.restart({ empty: true });
      await stage.until('the node is back', async () => node.starts > starts && (await node.process.isReady()));
      await world.balancer.waitForHealthy(1);
    });
    await stage.within(stage.isHarmless ? 20_000 : 2000, async () => !(await stage.isBroken()));
  },
};
