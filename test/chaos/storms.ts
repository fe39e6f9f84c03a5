import { UsageError } from '../demo/command.ts';
import { catalogue } from './faults/catalogue.ts';
import type { Fault } from './faults/fault.ts';
import { addedUp, type Floor, type LegFigures, type RunFigures } from './figures.ts';
import { runLeg, type LegResult } from './leg.ts';
import { replayArgs, seedOf, type ChaosOptions } from './options.ts';
import type { Topology } from './world/redis-site.ts';

/** Of the 3,600 reads that are sent in a minute, and of the 250 refreshes that the tokens of 45 owners need, what each cluster must at least come to on a busy machine. */
export const floor: Floor = { readsPerMinute: 1000, refreshesPerMinute: 60 };

const settings: Readonly<Record<Topology, string>> = { single: 'Redis alone', sentinel: 'Redis behind Sentinel', cluster: 'Redis Cluster' };

export interface StormEvents {
  readonly onEnd: (topology: Topology, leg: LegResult) => Promise<void>;
  /** The run itself failed; told of the logs of all nodes. */
  readonly onBreakdown: (topology: Topology, logs: readonly string[]) => Promise<void>;
}

/** One cluster after the other, with each layout of Redis that was asked for. */
export async function runStorms(options: ChaosOptions, say: (line: string) => void, { onEnd, onBreakdown }: StormEvents): Promise<RunFigures> {
  const { seed, nodes, owners } = options;
  const choices = options.redis.map((topology) => ({ topology, ...choiceOf(topology, options) }));
  refuseUnknown(options.first, choices.flatMap(({ first }) => first));
  const legs: LegFigures[] = [];
  for (const { topology, faults, first } of choices) {
    const share = shareOf(topology, options.redis);
    say(`Redis ${topology}: this plan alone is ${replayOf(topology, first, options)}`);
    const leg = await runLeg({
      topology,
      setting: settings[topology],
      seconds: options.minutes * 60 * share,
      most: Math.ceil(options.faults * share),
      seed: seedOf(topology, options),
      nodes,
      owners,
      faults,
      first,
      say,
      onBreakdown: (logs) => onBreakdown(topology, logs),
    });
    legs.push(leg.figures);
    await onEnd(topology, leg);
  }
  return { ...addedUp(legs), seed, nodes, owners, legs, floor };
}

/** What a layout is given, and of that what it begins with. @throws UsageError where nothing is left */
export function choiceOf(topology: Topology, options: Pick<ChaosOptions, 'only' | 'first'>): { faults: readonly Fault[]; first: readonly Fault[] } {
  const faults = chosen(topology, options);
  return { faults, first: [...new Set(options.first.flatMap((text) => faults.filter(({ kind }) => kind.includes(text))))] };
}

/** @throws UsageError where nothing is left */
export function chosen(topology: Topology, { only }: Pick<ChaosOptions, 'only'>): readonly Fault[] {
  const faults = catalogue(topology).filter(({ kind, family }) => only.length === 0 || only.some((text) => kind.includes(text) || family === text));
  if (faults.length === 0) throw new UsageError(`--only ${only.join(' --only ')}: no fault of a ${topology} Redis is called so; --list names them`);
  return faults;
}

/** @throws UsageError */
function refuseUnknown(texts: readonly string[], found: readonly Fault[]): void {
  const unknown = texts.find((text) => !found.some(({ kind }) => kind.includes(text)));
  if (unknown !== undefined) throw new UsageError(`--first ${unknown}: none of the faults is called so; --list names them`);
}

/** What to type; what is first is asked of layouts that have it. */
export function replayOf(topology: Topology, first: readonly Fault[], options: ChaosOptions): string {
  const wanted = options.first.filter((text) => first.some(({ kind }) => kind.includes(text)));
  return replayArgs(topology, { ...options, first: wanted }).map(quoted).join(' ');
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A single Redis meets the most kinds of faults. */
function shareOf(topology: Topology, all: readonly Topology[]): number {
  const weight = (of: Topology): number => (of === 'single' ? 3 : 1);
  return weight(topology) / all.reduce((sum, each) => sum + weight(each), 0);
}
