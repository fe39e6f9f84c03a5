import { examine } from '../checker/check-all.ts';
import { installHistory } from '../checker/history.ts';
import { readLedger } from '../checker/ledger.ts';
import { Diary } from '../diary.ts';
import type { Evidence, Finding } from '../evidence.ts';
import { gather } from '../gather.ts';
import { Observers, redisPrefix } from '../observers.ts';
import { World } from '../world/world.ts';
import type { Control } from './control.ts';
import { Stage } from './stage.ts';

export interface Trial {
  /** Every invariant, where the guard stood. */
  readonly guarded: readonly Finding[];
  /** The one that is to catch it, where it did not. */
  readonly unguarded: Finding;
}

/** Longer than a trial: what is refreshed is made due. */
const tokenSeconds = 120;
const readsPerSecond = 20;

const config = {
  // An owner whose only grant is lost gets no token, however long a caller waits.
  waitingTimeForToken: 200,
  retryAttempt: 10,
  cluster: { leaseTime: 1500 },
  refresh: { jitter: 0, reconcileEvery: 200, connectTimeout: 500, requestTimeout: 2000 },
};

/** Both side by side. */
export async function trialOf(control: Control): Promise<Trial> {
  const [guarded, unguarded] = await Promise.all([
    acted(control, true, async (evidence) => (await examine(evidence)).findings),
    acted(control, false, async (evidence) => {
      await evidence.stopNodes();
      return control.caughtBy(evidence, await readLedger(evidence.record));
    }),
  ]);
  return { guarded, unguarded };
}

async function acted<T>(control: Control, isGuarded: boolean, judge: (evidence: Evidence) => Promise<T>): Promise<T> {
  const { guard, beside, nodes } = control;
  const withoutGuards = isGuarded ? beside : [...beside, guard];
  const world = await World.create({ topology: 'single', nodes, owners: 1, only: 'single', tokenSeconds, withoutGuards, config }, installHistory);
  try {
    return await judge(await tempted(world, control, isGuarded));
  } finally {
    await world.remove();
  }
}

async function tempted(world: World, { tempt, caughtBy }: Control, isGuarded: boolean): Promise<Evidence> {
  const diary = new Diary();
  const observers = new Observers(world, readsPerSecond);
  await observers.start();
  // What is lost shall be seen.
  await observers.dismissOperator();
  try {
    const stage = new Stage(world, diary, observers, isGuarded, caughtBy);
    await stage.until('the live pool is built', async () => (await observers.redis.exists(`${redisPrefix}:built`)) === 1);
    await tempt(stage);
    return gather(world, diary, observers, await observers.stop());
  } catch (error) {
    await observers.stop();
    throw error;
  }
}
