import { poolMovesForward } from '../checker/pool-moves-forward.ts';
import { poolKey, rankOf } from '../checker/redis-sampler.ts';
import { redisPrefix } from '../observers.ts';
import type { Control } from './control.ts';
import type { Stage } from './stage.ts';

export const versionCheck: Control = {
  guard: 'version check in Redis',
  beside: [],
  temptation: 'a master that sleeps before it publishes a token while the next one refreshes that token',
  harm: 'puts the older token in the place of the newer one',
  caughtBy: poolMovesForward,
  nodes: 2,
  tempt: async (stage) => {
    const asleep = await stage.refreshTo('before-publish', 'pause', 'itself');
    const before = await stage.refreshes();
    await stage.makeDue();
    await stage.until('the next master publishes the next token', async () => (await stage.refreshes()) > before && (await showsNewest(stage)));
    await untilSampled(stage);
    stage.wake(asleep);
    await stage.aftermath();
  },
};

async function showsNewest({ world, observers }: Stage): Promise<boolean> {
  const [row] = await world.record.query<{ version: number }>('SELECT MAX(tokendid) AS version FROM tsttoken');
  const [shown = ''] = await observers.redis.hvals(poolKey(redisPrefix, world.population.owners[0] ?? ''));
  return rankOf(shown)?.version === row?.version;
}

/** The round under way can have looked too early, the next one has not. */
async function untilSampled(stage: Stage): Promise<void> {
  const { sampler } = stage.observers;
  const { samples } = sampler;
  await stage.until('the sampler has seen it', () => sampler.samples >= samples + 2);
}
