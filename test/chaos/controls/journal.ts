import { ask } from '../../harness/redis-admin.ts';
import { seenAnswersRecorded } from '../checker/seen-answers-recorded.ts';
import type { Control } from './control.ts';
import type { Stage } from './stage.ts';

export const journal: Control = {
  guard: 'journal',
  beside: [],
  temptation: 'a node that is killed with its courier when an answer is kept, while Redis loses what it holds,',
  harm: 'comes back without the answer',
  caughtBy: seenAnswersRecorded,
  nodes: 1,
  tempt: async (stage) => {
    await stage.diary.nobodyUp(async () => {
      const node = stage.world.nodes[0]!;
      const { starts } = node;
      await stage.refreshTo('after-keep', 'kill', 'both');
      await flush(stage);
      stage.diary.courierDied();
      stage.diary.nodeDied();
      if (!(await stage.isBroken())) throw new Error('The situation did not come about in which nobody but the journal has the answer');
      await stage.until('the node is back', async () => node.starts > starts && (await node.process.isReady()));
    });
    await stage.within(stage.isGuarded ? 20_000 : 2000, async () => !(await stage.isBroken()));
  },
};

async function flush({ world }: Stage): Promise<void> {
  for (const server of world.redis.servers) await ask(server, 'FLUSHALL');
}
