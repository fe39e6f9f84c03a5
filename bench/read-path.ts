/** What `npm run bench` measures: see `options.ts`. */
import { availableParallelism, cpus } from 'node:os';

import { BuiltInLoad, WrkLoad, startScript, word, type Load } from './load-process.ts';
import { readOptions, usage, UsageError, type BenchOptions } from './options.ts';
import { measureRound, median, type Half, type Round, type Target } from './rounds.ts';
import { measureSlowPath, type SlowReads } from './slow-path.ts';
import { checkAnswers, setStage, type Stage } from './stage.ts';

process.exit(await main(process.argv.slice(2)));

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = readOptions(args);
    if (!options.help) return await run(options);
    say(usage);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) process.stderr.write(`${error.message}\n\n${usage}`);
    else process.stderr.write(`FAILED: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

async function run(options: BenchOptions): Promise<number> {
  const stack = new AsyncDisposableStack();
  const interrupted = interruption();
  try {
    return await Promise.race([measureAll(options, stack), interrupted]);
  } finally {
    await stack.disposeAsync();
  }
}

/** Rejects at Ctrl-C, upon which everything is stopped in order. */
function interruption(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => reject(new Error('interrupted')));
  return promise;
}

async function measureAll(options: BenchOptions, stack: AsyncDisposableStack): Promise<number> {
  const load: Load = options.wrk ? new WrkLoad() : new BuiltInLoad(stack);
  say(`GET /tokenservice/{ownerId} on one node, against a bare node:http server with a constant answer of the same length`);
  say(`Node.js ${process.version}, ${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${options.connections} keep-alive connections, ${options.owners} owners, load: ${load.name}`);
  const stage = await setStage(options.owners, stack);
  const rounds = await measureRounds(load, stage, await startBare(stage, stack), options);
  const slow = await measureSlowPath(options.wrk ? new BuiltInLoad(stack) : load, stage, options.connections);
  await checkAnswers(stage);
  return conclude(rounds, slow, options);
}

async function startBare({ tokenLength }: Stage, stack: AsyncDisposableStack): Promise<Target> {
  const child = startScript('bare-server.ts', [String(tokenLength)], stack);
  return { pid: child.pid ?? 0, port: (await word(child)) as number, paths: ['/'] };
}

async function measureRounds(load: Load, { node, owners }: Stage, bare: Target, { rounds: number, seconds, connections }: BenchOptions): Promise<Round[]> {
  const service = { pid: node.pid, port: Number(new URL(node.appUrl).port), paths: owners.map((owner) => `/tokenservice/${owner}`) };
  say('\nround         service/s    bare/s  ratio   µs of processor a request: service  bare');
  const rounds: Round[] = [];
  for (let index = 0; index <= number; index++) {
    const round = await measureRound(load, service, bare, { connections, measureMs: seconds * 1000 });
    say(line(index === 0 ? 'warm-up' : String(index), round));
    if (index > 0) rounds.push(round);
  }
  return rounds;
}

function conclude(rounds: readonly Round[], slow: SlowReads, { atLeast }: BenchOptions): number {
  const [service, bare] = [medians(rounds.map((round) => round.service)), medians(rounds.map((round) => round.bare))];
  const ratios = rounds.map(({ ratio }) => ratio);
  const ratio = median(ratios);
  say(line('median', { service, bare, ratio }));
  say(`\nRatio: ${ratio.toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)} over ${rounds.length} rounds); the rates range from ${spread(rounds, 'service')} (service) and ${spread(rounds, 'bare')} (bare)`);
  say(`Latency at full load, p50 / p99: service ${ms(service)}, bare ${ms(bare)}`);
  say(`Not in memory, looked up in Redis: ${Math.round(slow.perSecond)}/s, p50 / p99 ${ms(slow)} (${slow.fromRedis} of ${slow.reads} reads by the node's own count${slow.fromMySql > 0 ? `, and ${slow.fromMySql} in MySQL, because Redis took more than 150 ms` : ''})`);
  const failures = slow.failures + rounds.reduce((sum, round) => sum + round.service.failures + round.bare.failures, 0);
  if (failures > 0) say(`FAILED: ${failures} requests had no good answer`);
  else say(`${ratio >= atLeast ? 'PASSED' : 'FAILED'}: at least ${atLeast} is wanted`);
  return failures === 0 && ratio >= atLeast ? 0 : 1;
}

function medians(halves: readonly Half[]): Half {
  const of = (key: keyof Half): number => median(halves.map((half) => half[key]));
  return { perSecond: of('perSecond'), failures: of('failures'), p50Ms: of('p50Ms'), p99Ms: of('p99Ms'), cpuUs: of('cpuUs') };
}

function spread(rounds: readonly Round[], of: 'service' | 'bare'): string {
  const rates = rounds.map((round) => round[of].perSecond);
  return `${Math.round(Math.min(...rates))} to ${Math.round(Math.max(...rates))}`;
}

function line(name: string, { service, bare, ratio }: Round): string {
  const [left, right] = [service, bare].map(({ cpuUs }) => (Number.isNaN(cpuUs) ? '-' : cpuUs.toFixed(1)));
  const rates = [service, bare].map(({ perSecond }) => String(Math.round(perSecond)).padStart(9)).join(' ');
  return `${name.padEnd(12)} ${rates}  ${ratio.toFixed(2).padStart(5)}   ${(left ?? '').padStart(34)} ${(right ?? '').padStart(5)}`;
}

function ms({ p50Ms, p99Ms }: { readonly p50Ms: number; readonly p99Ms: number }): string {
  return `${p50Ms.toFixed(2)} / ${p99Ms.toFixed(2)} ms`;
}

function say(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`);
}
