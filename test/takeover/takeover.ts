/** What `npm run takeover` shows: see `options.ts`. */
import { carryOut } from '../demo/command.ts';
import { count, Report } from '../demo/report.ts';
import { orAborted } from '../demo/until.ts';
import { isWithinAim, markdownOf, rowsOf, type Distribution } from './distribution.ts';
import { readOptions, usage, type TakeoverOptions } from './options.ts';
import { roundOf, type End, type Takeover } from './round.ts';
import { setStage, type Stage } from './stage.ts';

const words: Record<End, string> = { kill: 'killed (SIGKILL)', stop: 'stopped in order (SIGTERM)' };

process.exit(await carryOut({ usage, readOptions, run }, process.argv.slice(2)));

async function run(options: TakeoverOptions, signal: AbortSignal): Promise<number> {
  const report = new Report(process.stdout);
  const stack = new AsyncDisposableStack();
  report.title(`Takeover: ${options.nodes} nodes, ${options.owners} owners, tokens of ${options.tokenSeconds} s, a lease of ${options.leaseMs} ms.`);
  let exitCode = 1;
  try {
    report.waiting('stores, provider, nodes and owners');
    const stage = await orAborted(setStage(options, stack), signal);
    const distributions = [
      { end: 'kill', aimMs: options.leaseMs + 500, takeovers: await endings(stage, 'kill', options.kills, report, signal) },
      { end: 'stop', aimMs: 200, takeovers: await endings(stage, 'stop', options.handovers, report, signal) },
    ] as const;
    exitCode = conclude(report, stage, distributions.filter(({ takeovers }) => takeovers.length > 0));
  } catch (error) {
    report.title(`\nFAILED: ${error instanceof Error ? error.message : String(error)}`);
  }
  report.waiting('everything to stop');
  await stack.disposeAsync();
  report.title('\nEverything that was started is stopped and removed.');
  return exitCode;
}

async function endings(stage: Stage, end: End, times: number, report: Report, signal: AbortSignal): Promise<Takeover[]> {
  const takeovers: Takeover[] = [];
  if (times > 0) report.step(`The master is ${words[end]}`);
  while (takeovers.length < times) {
    const takeover = await roundOf(stage, end, signal);
    takeovers.push(takeover);
    report.say(`${takeovers.length} of ${times}: another master after ${takeover.ledMs} ms, its first refresh after ${takeover.refreshedMs} ms`);
  }
  return takeovers;
}

function conclude(report: Report, { provider }: Stage, distributions: readonly Distribution[]): number {
  for (const distribution of distributions) {
    report.heading(`From the end of the master to the first refresh by the next: ${words[distribution.end]}, ${count(distribution.takeovers.length, 'time')}`);
    report.table(rowsOf(distribution));
  }
  const { presentedTwice, grantsRevoked, refreshes } = provider.account;
  report.heading('What the OAuth2 server saw');
  report.table([{ label: 'refreshes', value: String(refreshes) }, { label: 'refresh tokens presented twice', value: String(presentedTwice) }, { label: 'grants revoked', value: String(grantsRevoked) }]);
  report.heading('As a table for a document');
  report.block(markdownOf(distributions).split('\n'));
  const isKept = distributions.length > 0 && distributions.every(isWithinAim) && presentedTwice === 0 && grantsRevoked === 0;
  report.title(isKept ? '\nThe aim was met.' : '\nThe aim was NOT met.');
  return isKept ? 0 : 1;
}
