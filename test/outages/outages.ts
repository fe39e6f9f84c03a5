/** What `npm run outages` shows: see `options.ts`. */
import { setTimeout as sleep } from 'node:timers/promises';

import { carryOut } from '../demo/command.ts';
import { Report } from '../demo/report.ts';
import { orAborted } from '../demo/until.ts';
import { outagesOf, type PlannedOutage } from './catalogue.ts';
import { readOptions, usage, type OutageOptions } from './options.ts';
import { runOutage, type OutageFacts } from './outage.ts';
import { setStage, type Stage } from './stage.ts';
import { StartWithoutStores } from './start-without-stores.ts';
import { tableOf } from './table.ts';
import { promisesOf, promisesOfStart, type Promised } from './verdict.ts';

const readsPerSecond = 100;
const beforeSeconds = 5;
const afterSeconds = 15;
/** Bounds, ms, for a machine that is busy with all of it. */
const recoveredWithinMs = 20_000;
const readyWithinMs = 20_000;

process.exit(await carryOut({ usage, readOptions, run }, process.argv.slice(2)));

async function run(options: OutageOptions, signal: AbortSignal): Promise<number> {
  const report = new Report(process.stdout);
  const stack = new AsyncDisposableStack();
  report.title(`The token pool service without its stores: ${options.nodes} nodes, ${options.owners} owners, tokens of ${options.tokenSeconds} s and longer ones.`);
  let exitCode = 1;
  try {
    const stage = await orAborted(staged(options, report, stack), signal);
    exitCode = conclude(report, await orAborted(throughAll(stage, options, report), signal));
  } catch (error) {
    report.title(`\nFAILED: ${error instanceof Error ? error.message : String(error)}`);
  }
  report.waiting('everything to stop');
  await stack.disposeAsync();
  report.title('\nEverything that was started is stopped and removed.');
  return exitCode;
}

async function staged({ owners, nodes, tokenSeconds, mysql, both }: OutageOptions, report: Report, stack: AsyncDisposableStack): Promise<Stage> {
  report.waiting('stores, providers, owners and nodes');
  const stage = await setStage({ owners, nodes, tokenSeconds, outlivedSeconds: Math.max(mysql, both) }, stack);
  const slots = stage.owners.flatMap(({ grants }) => grants).length;
  report.say(`${stage.owners.length} owners with ${slots} tokens; half live ${tokenSeconds} s, half ${stage.lasting.accessTokenSeconds} s. Callers on ${stage.nodes.length} nodes, ${readsPerSecond} reads a second, wait ${stage.waitMs / 1000} s for a token.`);
  // The nodes have just started: what was inserted is taken in, and refreshed once.
  await sleep(tokenSeconds * 1000);
  return stage;
}

interface Shown {
  readonly facts: OutageFacts;
  readonly promises: readonly Promised[];
}

async function throughAll(stage: Stage, options: OutageOptions, report: Report): Promise<Shown[]> {
  const shown: Shown[] = [];
  for (const planned of outagesOf(stage, options)) {
    report.step(`${planned.name}: killed (SIGKILL), away for ${planned.seconds} s`);
    shown.push(await through(stage, planned, options, report));
  }
  return shown;
}

async function through(stage: Stage, { kind, ...outage }: PlannedOutage, { tokenSeconds }: OutageOptions, report: Report): Promise<Shown> {
  const start = kind === 'both' ? new StartWithoutStores(stage) : undefined;
  const facts = await runOutage(stage, { ...outage, ...(start && { meanwhile: () => start.during(outage.seconds) }) }, { readsPerSecond, beforeSeconds, afterSeconds, tell: (line) => { report.say(line); } });
  const briefSlots = stage.owners.filter(({ lasts }) => !lasts).flatMap(({ grants }) => grants).length;
  const leastReads = 0.7 * readsPerSecond * outage.seconds;
  const promises = promisesOf(facts, kind, { recoveredMs: recoveredWithinMs, waitMs: stage.waitMs, leastReads, briefSlots, tokenSeconds });
  return { facts, promises: [...promises, ...(start ? promisesOfStart(await start.facts(facts.until), readyWithinMs) : [])] };
}

function conclude(report: Report, shown: readonly Shown[]): number {
  for (const { facts, promises } of shown) {
    report.heading(`${facts.outage.name} away`);
    report.block(promises.map(({ text, kept, seen }) => `   ${kept ? 'kept  ' : 'BROKEN'}  ${text} (${seen})`));
  }
  report.heading('Figures');
  report.block(tableOf(shown.map(({ facts }) => facts)).map((line) => `   ${line}`));
  const broken = shown.flatMap(({ promises }) => promises).filter(({ kept }) => !kept).length;
  report.title(shown.length === 0 ? '\nNothing was shown.' : broken === 0 ? '\nEvery promise was kept.' : `\n${broken} promises were BROKEN.`);
  return shown.length > 0 && broken === 0 ? 0 : 1;
}
