import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { carryOut, type Interrupted } from '../demo/command.ts';
import type { LegResult } from './leg.ts';
import { readOptions, usage, type ChaosOptions } from './options.ts';
import { markdownOf, reportLines, verdictOf } from './report.ts';
import { chosen, runStorms } from './storms.ts';

const begun = performance.now();

function say(line: string): void {
  process.stdout.write(`${((performance.now() - begun) / 1000).toFixed(1).padStart(7)} s  ${line}\n`);
}

process.exitCode = await carryOut({ usage, readOptions, run: listOrRun }, process.argv.slice(2));

async function listOrRun(options: ChaosOptions, signal: AbortSignal): Promise<number> {
  // At once: the guards of what runs end it with this process.
  signal.addEventListener('abort', () => process.exit((signal.reason as Interrupted).exitCode));
  if (!options.list) return run(options);
  for (const topology of options.redis) for (const fault of chosen(topology, options)) process.stdout.write(`${topology}\t${fault.family}\t${fault.kind}\n`);
  return 0;
}

async function run(options: ChaosOptions): Promise<number> {
  say(`seed ${options.seed}`);
  const figures = await runStorms(options, say, async (topology, leg) => {
    if (options.logs !== undefined) await writeLogs(join(options.logs, topology), leg);
  });
  process.stdout.write(`\n${reportLines(figures).join('\n')}\n`);
  if (options.markdown !== undefined) await writeFile(options.markdown, markdownOf(figures));
  return verdictOf(figures).exitCode;
}

async function writeLogs(folder: string, { evidence, diary }: LegResult): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [index, log] of evidence.logs.entries()) await writeFile(join(folder, `node-run-${index + 1}.log`), log);
  await writeFile(join(folder, 'faults.txt'), diary.lines.map((line) => `${line}\n`).join(''));
}
