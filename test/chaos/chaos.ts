import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { carryOut, type Interrupted } from '../demo/command.ts';
import { readOptions, usage, type ChaosOptions } from './options.ts';
import { markdownOf, reportLines } from './report.ts';
import { chosen, runStorms } from './storms.ts';
import { verdictOf } from './verdict.ts';

const begun = performance.now();

function say(line: string): void {
  process.stdout.write(`${((performance.now() - begun) / 1000).toFixed(1).padStart(7)} s  ${line}\n`);
}

// After a long run Node.js 24 spins for ever in the closing of its own handles (Environment::CleanupHandles) where it ends by itself.
process.exit(await carryOut({ usage, readOptions, run: listOrRun }, process.argv.slice(2)));

async function listOrRun(options: ChaosOptions, signal: AbortSignal): Promise<number> {
  // At once: the guards of what runs end it with this process.
  signal.addEventListener('abort', () => process.exit((signal.reason as Interrupted).exitCode));
  if (!options.list) return run(options);
  for (const topology of options.redis) for (const fault of chosen(topology, options)) process.stdout.write(`${topology}\t${fault.family}\t${fault.kind}\n`);
  return 0;
}

async function run(options: ChaosOptions): Promise<number> {
  say(`seed ${options.seed}`);
  const keep = async (topology: string, logs: readonly string[], faults: readonly string[]): Promise<void> => {
    if (options.logs !== undefined) await writeLogs(join(options.logs, topology), logs, faults);
  };
  const figures = await runStorms(options, say, {
    onEnd: (topology, { evidence, diary }) => keep(topology, evidence.logs, diary.lines),
    onBreakdown: (topology, logs) => keep(topology, logs, []),
  });
  process.stdout.write(`\n${reportLines(figures).join('\n')}\n`);
  if (options.markdown !== undefined) await writeFile(options.markdown, markdownOf(figures));
  return verdictOf(figures).exitCode;
}

async function writeLogs(folder: string, logs: readonly string[], faults: readonly string[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [index, log] of logs.entries()) await writeFile(join(folder, `node-run-${index + 1}.log`), log);
  await writeFile(join(folder, 'faults.txt'), faults.map((line) => `${line}\n`).join(''));
}
