/**
 * Three nodes under load, watched by a Prometheus with the delivered rules, for people who want to look:
 *
 *   node test/monitoring/watched-cluster.ts [seconds]     default 600; Ctrl-C ends it before
 *
 * After a third of the time the master is killed, and started again half a minute later. Everything is private to the run, on free ports,
 * and removed at its end. It runs dist/, so build before.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { masterOf, startNodes, startStores } from '../harness/cluster.ts';
import type { NodeProcess } from '../harness/node-process.ts';
import { startProvider } from '../harness/provider/provider.ts';
import { startReaders } from '../harness/readers.ts';
import { startPrometheus } from './prometheus-server.ts';

const owners = Array.from({ length: 12 }, (_, index) => `gateway-${index + 1}`);
const config = { refreshWakeUpLeadTime: 15_000, refresh: { jitter: 0.2 } };

const say = (text: string): void => void process.stdout.write(`${new Date().toISOString().slice(11, 19)}  ${text}\n`);

async function watch(seconds: number, signal: AbortSignal): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const provider = stack.adopt(await startProvider({ accessTokenSeconds: 60, latencyMs: 150 }), (it) => it.stop());
  const stores = stack.adopt(await startStores(), (it) => it.remove());
  for (const ownerId of owners) await stores.addOwner({ ownerId, grants: [provider.createGrant({ owner: ownerId })] });
  const nodes = await startNodes(stores, { nodes: 3, config });
  stack.defer(async () => { await Promise.all(nodes.map((node) => node.stop())); });
  const prometheus = stack.adopt(await startPrometheus({ nodes: nodes.map(({ adminUrl }) => adminUrl), job: 'token-pool-service', everySeconds: 2 }), (it) => it.remove());
  const readers = startReaders({ urls: nodes.map(({ appUrl }) => appUrl), owners, ratePerSecond: 100, judge: provider.isLive });
  stack.defer(async () => {
    const { reads, failed } = await readers.stop();
    say(`${reads} reads, ${failed} failed`);
  });
  say(`Prometheus ${prometheus.url}, nodes ${nodes.map(({ adminUrl }) => adminUrl).join(' ')}`);
  await sleep(seconds * 333, undefined, { signal });
  await replaceMaster(nodes, signal);
  await sleep(seconds * 667 - 30_000, undefined, { signal });
}

async function replaceMaster(nodes: NodeProcess[], signal: AbortSignal): Promise<void> {
  const master = await masterOf(nodes);
  if (master === undefined) return say('There is no master to kill');
  await master.kill();
  say(`The master ${master.adminUrl} is killed`);
  await sleep(30_000, undefined, { signal });
  const again = await master.again();
  nodes.splice(nodes.indexOf(master), 1, again);
  await again.waitReady();
  say('It is started again');
}

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => { interrupted.abort(); });
await watch(Number(process.argv[2] ?? 600), interrupted.signal).catch((error: unknown) => {
  if (!interrupted.signal.aborted) throw error;
});
say('Everything is stopped and removed');
