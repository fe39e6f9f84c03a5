import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { catalogue } from './faults/catalogue.ts';
import type { Fault } from './faults/fault.ts';
import { runLeg, type LegResult } from './leg.ts';
import { readOptions, usage, UsageError, type ChaosOptions } from './options.ts';
import type { Topology } from './world/redis-site.ts';

const begun = performance.now();

function say(line: string): void {
  process.stdout.write(`${((performance.now() - begun) / 1000).toFixed(1).padStart(7)} s  ${line}\n`);
}

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    return await carryOut(readOptions(args));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${usage}`);
    return 2;
  }
}

async function carryOut(options: ChaosOptions): Promise<number> {
  if (options.help) process.stdout.write(usage);
  else if (options.list) for (const topology of options.redis) for (const fault of chosen(topology, options)) process.stdout.write(`${topology}\t${fault.family}\t${fault.kind}\n`);
  else return run(options);
  return 0;
}

/** @throws UsageError where nothing is left */
function chosen(topology: Topology, { only }: ChaosOptions): readonly Fault[] {
  const faults = catalogue(topology).filter(({ kind, family }) => only.length === 0 || only.some((text) => kind.includes(text) || family === text));
  if (faults.length === 0) throw new UsageError(`--only ${only.join(' --only ')}: no fault of a ${topology} Redis is called so; --list names them`);
  return faults;
}

async function run(options: ChaosOptions): Promise<number> {
  const { seed, nodes, owners } = options;
  say(`seed ${seed}`);
  const legs: LegResult[] = [];
  for (const [index, topology] of options.redis.entries()) {
    const share = shareOf(topology, options.redis);
    const leg = await runLeg({ topology, seconds: options.minutes * 60 * share, most: Math.ceil(options.faults * share), seed: seed + index, nodes, owners, faults: chosen(topology, options), say });
    legs.push(leg);
    if (options.logs !== undefined) await writeLogs(join(options.logs, topology), leg);
    for (const { invariant, cases, violations } of leg.findings) {
      say(`${violations.length === 0 ? 'ok ' : 'NOT'} ${violations.length} of ${cases}: ${invariant}`);
      for (const violation of violations.slice(0, 10)) say(`      ${violation}`);
    }
  }
  return legs.every(({ findings }) => findings.every(({ violations }) => violations.length === 0)) ? 0 : 1;
}

/** A single Redis meets the most kinds of faults. */
function shareOf(topology: Topology, all: readonly Topology[]): number {
  const weight = (of: Topology): number => (of === 'single' ? 3 : 1);
  return weight(topology) / all.reduce((sum, each) => sum + weight(each), 0);
}

async function writeLogs(folder: string, { evidence, diary }: LegResult): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [index, log] of evidence.logs.entries()) await writeFile(join(folder, `node-run-${index + 1}.log`), log);
  await writeFile(join(folder, 'faults.txt'), diary.lines.map((line) => `${line}\n`).join(''));
}
