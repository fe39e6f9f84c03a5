import { examine } from '../checker/check-all.ts';
import { converged } from '../checker/converged.ts';
import { installHistory } from '../checker/history.ts';
import { readLedger } from '../checker/ledger.ts';
import { Diary } from '../diary.ts';
import type { Evidence, Finding } from '../evidence.ts';
import type { LegFigures } from '../figures.ts';
import { gather } from '../gather.ts';
import { Observers } from '../observers.ts';
import type { Guard } from '../sabotage/guards.ts';
import { readFigures } from '../served.ts';
import { World } from '../world/world.ts';
import type { Control } from './control.ts';
import { Stage } from './stage.ts';

export interface Trial {
  /** Where the guard stood alone. */
  readonly guarded: LegFigures;
  /** Where the guard was gone and what stands beside it was there; undefined where nothing does. */
  readonly covered: LegFigures | undefined;
  /** The invariant that is to catch it, where neither was there. */
  readonly unguarded: Finding;
}

/** Longer than a trial: what is refreshed is made due. */
const tokenSeconds = 120;
const readsPerSecond = 10;

const config = {
  // An owner whose only grant is lost gets no token, however long a caller waits.
  waitingTimeForToken: 200,
  retryAttempt: 10,
  cluster: { leaseTime: 1500 },
  refresh: { jitter: 0, reconcileEvery: 200, connectTimeout: 500, requestTimeout: 2000 },
};

/** All clusters side by side. */
export async function trialOf(control: Control): Promise<Trial> {
  const { guard, beside, caughtBy } = control;
  const all = (evidence: Evidence): Promise<LegFigures> => figuresOf(control, evidence);
  const [guarded, covered, unguarded] = await allEnded([
    acted(control, beside, all),
    beside.length === 0 ? undefined : acted(control, [guard], all),
    acted(control, [...beside, guard], async (evidence) => {
      await evidence.stopNodes();
      return caughtBy(evidence, await readLedger(evidence.record));
    }),
  ]);
  return { guarded, covered, unguarded };
}

/** As of a run that consists of the temptation. */
async function figuresOf({ temptation }: Control, evidence: Evidence): Promise<LegFigures> {
  const examination = await examine(evidence);
  const faults = { kinds: [temptation], faults: new Map([[temptation, 1]]), missed: new Map<string, number>(), leftOut: new Map<string, string>() };
  return { ...examination, ...faults, setting: 'Redis alone', seconds: examination.watchedSeconds, reads: readFigures(evidence) };
}

/** None is still running when one has failed. */
async function allEnded<T extends readonly unknown[]>(works: T): Promise<{ -readonly [Key in keyof T]: Awaited<T[Key]> }> {
  await Promise.allSettled(works);
  return Promise.all(works);
}

async function acted<T>(control: Control, withoutGuards: readonly Guard[], judge: (evidence: Evidence) => Promise<T>): Promise<T> {
  const world = await World.create({ topology: 'single', nodes: control.nodes, owners: 1, only: 'single', tokenSeconds, withoutGuards, config }, installHistory);
  try {
    const isHarmless = [control.guard, ...control.beside].some((guard) => !withoutGuards.includes(guard));
    return await judge(await tempted(world, control, isHarmless));
  } finally {
    await world.remove();
  }
}

async function tempted(world: World, { tempt, caughtBy }: Control, isHarmless: boolean): Promise<Evidence> {
  const diary = new Diary();
  const observers = new Observers(world, readsPerSecond);
  await observers.start();
  // What is lost shall be seen.
  await observers.dismissOperator();
  try {
    const stage = new Stage(world, diary, observers, isHarmless, caughtBy);
    await stage.until('the token has been taken in', async () => (await converged(stage.evidence(), 0)).violations.length === 0);
    await tempt(stage);
    return gather(world, diary, observers, await observers.stop());
  } catch (error) {
    await observers.stop();
    throw error;
  }
}
