import { setTimeout as sleep } from 'node:timers/promises';

import { Repeating } from '../../src/runtime/lifecycle.ts';
import { examine } from './checker/check-all.ts';
import { installHistory } from './checker/history.ts';
import { Diary } from './diary.ts';
import type { Evidence } from './evidence.ts';
import { leftOutOf, type Fault } from './faults/fault.ts';
import type { LegFigures } from './figures.ts';
import { gather } from './gather.ts';
import { Observers } from './observers.ts';
import { Plan } from './plan.ts';
import { readFigures } from './served.ts';
import { storm } from './storm.ts';
import type { Topology } from './world/redis-site.ts';
import { World } from './world/world.ts';

export interface LegOptions {
  readonly topology: Topology;
  /** What it is called in a report. */
  readonly setting: string;
  readonly seconds: number;
  /** Faults, after which it ends early. */
  readonly most: number;
  readonly seed: number;
  readonly nodes: number;
  readonly owners: number;
  readonly faults: readonly Fault[];
  /** Those with which it begins. */
  readonly first: readonly Fault[];
  readonly say: (line: string) => void;
  /** Told of the logs of all nodes where the run itself fails. */
  readonly onBreakdown?: (logs: readonly string[]) => Promise<void>;
}

export interface LegResult {
  readonly figures: LegFigures;
  readonly diary: Diary;
  /** The nodes have been stopped, the logs are there. */
  readonly evidence: Evidence;
}

/** Refreshed at any moment of their first half, so that the second is left for faults; as with tokens of an hour that are due minutes before. */
const tokenSeconds = 48;
const readsPerSecond = 60;

/** A caller whose owner has lost all its grants hears so after a second. */
const config = { refreshWakeUpLeadTime: tokenSeconds * 500, refresh: { jitter: 0.5 }, waitingTimeForToken: 200, retryAttempt: 5 };

/** After the last fault, ms: by then every token must be fresh again, but for what is under way. Stated in docs/reliability.md. */
const convergenceMs = 20_000;

/** One cluster through its faults, and all that it leaves compared. */
export async function runLeg(options: LegOptions): Promise<LegResult> {
  const { topology, owners, nodes, say } = options;
  say(`Redis ${topology}: starting ${nodes} nodes for ${owners} owners`);
  const world = await World.create({ topology, nodes, owners, tokenSeconds, config }, installHistory);
  try {
    return await throughFaults(world, options);
  } catch (error) {
    await options.onBreakdown?.(world.nodes.flatMap(({ logs }) => logs));
    throw error;
  } finally {
    await world.remove();
  }
}

async function throughFaults(world: World, { topology, setting, seconds, most, seed, faults, first, say }: LegOptions): Promise<LegResult> {
  const diary = new Diary();
  const leftOut = leftOutOf(faults, world);
  for (const [kind, why] of leftOut) say(`Redis ${topology}: left out: ${kind} (${why})`);
  const observers = new Observers(world, readsPerSecond);
  await observers.start();
  const begun = Date.now();
  const progress = new Repeating('progress', () => 10_000, async () => say(progressOf(world, diary, observers)), () => undefined);
  await progress.start();
  await storm(world, new Plan(seed, faults, first), diary, { until: begun + seconds * 1000, faults: most }, (what) => say(`  ${what}`));
  const stormSeconds = (Date.now() - begun) / 1000;
  await progress.stop();
  say(`Redis ${topology}: the last of ${diary.total} faults is over; ${convergenceMs / 1000} s to converge`);
  const evidence = await converged(world, diary, observers);
  const examination = await examine(evidence);
  observers.disconnect();
  const { faults: inflicted, missed } = diary;
  const figures = { ...examination, setting, seconds: stormSeconds, kinds: faults.map(({ kind }) => kind), faults: inflicted, missed, leftOut, reads: readFigures(evidence) };
  return { diary, evidence, figures };
}

/** The operator goes first: what he would repair now shall be seen. */
async function converged(world: World, diary: Diary, observers: Observers): Promise<Evidence> {
  for (const provider of Object.values(world.population.providers)) provider.clear();
  await sleep(convergenceMs);
  const settledAt = Date.now();
  await observers.dismissOperator();
  return gather(world, diary, observers, await observers.stop(), settledAt);
}

function progressOf(world: World, diary: Diary, { readers }: Observers): string {
  const { reads, failed } = readers.report();
  const providers = Object.values(world.population.providers);
  const sum = (of: (account: (typeof providers)[number]['account']) => number): number => providers.reduce((total, { account }) => total + of(account), 0);
  return `${diary.total} faults, ${reads} reads (${failed} failed or met no node), ${sum(({ refreshes }) => refreshes)} refreshes, ${sum(({ grantsRevoked }) => grantsRevoked)} grants revoked`;
}
