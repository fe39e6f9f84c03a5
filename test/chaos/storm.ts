import { setTimeout as sleep } from 'node:timers/promises';

import type { Diary } from './diary.ts';
import type { Plan, Planned } from './plan.ts';
import { Random } from './world/random.ts';
import type { World } from './world/world.ts';

export interface StormLimits {
  /** No episode begins after this moment, epoch ms. */
  readonly until: number;
  /** Nor once so many faults have been inflicted. */
  readonly faults: number;
}

/** A fault that is not over by now hangs, and the run with it. */
const longestFaultMs = 120_000;

/** One pair of faults after the other, as planned, until the limits are reached. @param onEpisode told of each before it begins */
export async function storm(world: World, plan: Plan, diary: Diary, limits: StormLimits, onEpisode: (what: string) => void): Promise<void> {
  while (Date.now() < limits.until && diary.total < limits.faults) {
    const { first, second, offsetMs, pauseMs } = plan.next();
    await sleep(pauseMs);
    onEpisode(`${first.fault.kind}; ${offsetMs} ms later ${second.fault.kind}`);
    await Promise.all([inflict(first, world, diary), sleep(offsetMs).then(() => inflict(second, world, diary))]);
  }
}

async function inflict({ fault, seed }: Planned, world: World, diary: Diary): Promise<void> {
  const from = Date.now();
  const tooLong = sleep(longestFaultMs, undefined, { ref: false }).then(() => Promise.reject(new Error(`not over after ${longestFaultMs} ms`)));
  try {
    const wasInflicted = await Promise.race([fault.inflict({ world, random: new Random(seed), traces: diary }), tooLong]);
    diary.note(fault.kind, wasInflicted, from);
  } catch (error) {
    throw new Error(`The fault "${fault.kind}" could not be inflicted`, { cause: error });
  }
}
