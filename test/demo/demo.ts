/** What `npm run demo` shows: see `options.ts`. */
import { carryOut, Interrupted } from './command.ts';
import { readOptions, usage } from './options.ts';
import type { DemoOptions } from './options.ts';
import { Report } from './report.ts';
import { play } from './show.ts';
import { makeLogFolder, removeLogFolder, setStage } from './stage.ts';
import { stay } from './stay.ts';
import { brokenPromises, failedReads, rowsOf } from './verdict.ts';
import type { Outcome } from './verdict.ts';

process.exit(await carryOut({ usage, readOptions, run }, process.argv.slice(2)));

async function run(options: DemoOptions, signal: AbortSignal): Promise<number> {
  const report = new Report(process.stdout);
  const logFolder = await makeLogFolder();
  report.title(`The token pool service: ${options.nodes} nodes, one address, and a master that is killed.`);
  const exitCode = await staged(report, options, logFolder, signal);
  if (exitCode === 1) report.title(`The logs of the nodes: ${logFolder}`);
  else await removeLogFolder(logFolder);
  return exitCode;
}

async function staged(report: Report, options: DemoOptions, logFolder: string, signal: AbortSignal): Promise<number> {
  const stack = new AsyncDisposableStack();
  let exitCode = 1;
  try {
    const stage = await setStage(report, options, logFolder, stack, signal);
    exitCode = conclude(report, await play(stage, report, signal));
    if (options.stay) await stay(stage, report, logFolder, signal);
  } catch (error) {
    exitCode = stopReason(report, error, options.stay ? exitCode : 1);
  }
  report.waiting('everything to stop');
  await stack.disposeAsync();
  report.title('\nEverything that was started is stopped and removed.');
  return exitCode;
}

function conclude(report: Report, outcome: Outcome): number {
  const broken = brokenPromises(outcome);
  report.heading('Result');
  report.table(rowsOf(outcome));
  report.title(broken.length === 0 ? '\nEvery promise was kept.' : `\nBROKEN: ${broken.join('; ')}.`);
  report.block(failedReads(outcome.reads).map((line) => `   ${line}`));
  return broken.length === 0 ? 0 : 1;
}

/** Ctrl-C is how a stay ends, and how a show is broken off. */
function stopReason(report: Report, error: unknown, exitCode: number): number {
  const reason = error instanceof Error && error.name === 'AbortError' && error.cause instanceof Error ? error.cause : error;
  if (reason instanceof Interrupted) {
    report.title('\nInterrupted.');
    return exitCode === 0 ? 0 : reason.exitCode;
  }
  report.title(`\nFAILED: ${reason instanceof Error ? reason.message : String(reason)}`);
  return 1;
}
