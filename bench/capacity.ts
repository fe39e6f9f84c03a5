import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { Redis } from 'ioredis';

import { startNodes, startStores, type ClusterStores } from '../test/harness/cluster.ts';
import type { NodeProcess } from '../test/harness/node-process.ts';
import { startProvider, type Provider } from '../test/harness/provider/provider.ts';
import { childrenOf } from '../test/system/child-processes.ts';
import { metric } from './stage.ts';

/**
 * What a token costs and how fast a master refreshes, for docs/operations.md, "Sizing":
 *
 *   node bench/capacity.ts [--tokens 10000] [--due 3000] [--length 64] [--latency 20]
 *
 * One node, with a pool of `tokens` that live for an hour; then `due` more that all fall due in the same moment.
 */
const { values } = parseArgs({ options: { tokens: { type: 'string' }, due: { type: 'string' }, length: { type: 'string' }, latency: { type: 'string' } } });
const tokens = Number(values.tokens ?? 10_000);
const due = Number(values.due ?? 3000);
const tokenLength = Number(values.length ?? 64);
const latencyMs = Number(values.latency ?? 20);

const lifeSeconds = 3600;
const leadSeconds = 60;
/** From the insert until the tokens fall due, s: the node must have planned them. */
const headStartSeconds = 30;
/** Of Linux, in /proc. */
const ticksPerSecond = 100;

await using stack = new AsyncDisposableStack();
const stores = await startStores();
stack.defer(() => stores.remove());
const provider = await startProvider({ accessTokenSeconds: lifeSeconds, tokenLength, latencyMs });
stack.defer(() => provider.stop());
const redis = new Redis(stores.redis.url);
stack.defer(() => redis.disconnect());

await addOwners('first', 1, 0);
const empty = await measured(1);
await addOwners('owner', tokens, 0);
const full = await measured(tokens + 1);
say('memory of a node, empty', `${mb(empty.node)} MB`);
say(`memory of a node, ${tokens.toLocaleString('en')} tokens`, `${mb(full.node)} MB`);
say('new rows taken in a second (by a first master, or inserted)', Math.round(tokens / full.tookSeconds).toLocaleString('en'));
say('Redis, a token (live pool and job)', `${Math.round((full.redis - empty.redis) / tokens)} bytes`);
await refreshAll();

/** A node with the pool, when all is planned. */
async function measured(planned: number): Promise<{ node: number; redis: number; tookSeconds: number }> {
  const node = await startNode();
  const begun = performance.now();
  await until(async () => (await metric(node, 'tokenpool_queue_jobs{state="delayed"}')) >= planned);
  const tookSeconds = (performance.now() - begun) / 1000;
  await sleep(5000);
  const seen = { tookSeconds, node: await metric(node, 'process_resident_memory_bytes'), redis: await usedByRedis() };
  await node.stop();
  return seen;
}

async function refreshAll(): Promise<void> {
  const node = await startNode();
  const before = await sizes(stores);
  const planned = await metric(node, 'tokenpool_queue_jobs{state="delayed"}');
  await addOwners('due', due, lifeSeconds - leadSeconds - headStartSeconds);
  await until(async () => (await metric(node, 'tokenpool_queue_jobs{state="delayed"}')) >= planned + due);
  const cpuBefore = await cpuSeconds(node);
  await until(async () => provider.account.refreshes >= due);
  await until(async () => (await stores.query('SELECT 1 FROM tsttoken WHERE isvalid = 1 AND createdtime < NOW() - INTERVAL 1000 SECOND LIMIT 1')).length === 0);
  const times = provider.account.presentations.map(({ at }) => at).sort((a, b) => a - b);
  const tookSeconds = (times.at(-1)! - times[0]!) / 1000;
  say(`refreshes a second, ${due.toLocaleString('en')} due at once, provider answers in ${latencyMs} ms`, Math.round(due / tookSeconds).toLocaleString('en'));
  say('processor, a refresh (service and courier)', `${(((await cpuSeconds(node)) - cpuBefore) * 1000 / due).toFixed(1)} ms`);
  const after = await sizes(stores);
  say('journal, a refresh', `${Math.round((await journalBytes()) / due)} bytes`);
  for (const table of ['tsttoken', 'tstspent', 'tstevent']) say(`${table}, a refresh`, `${Math.round((after[table]! - before[table]!) / due)} bytes`);
  const [connections] = await stores.query<{ n: number }>("SELECT COUNT(*) AS n FROM information_schema.processlist WHERE db = 'token_service' AND id <> CONNECTION_ID()");
  say('connections to MySQL, a master', String(connections!.n));
  say('connections to Redis, a master', String((await redis.client('LIST') as string).trim().split('\n').length - 1));
  await node.stop();
}

async function startNode(): Promise<NodeProcess> {
  const [node] = await startNodes(stores, { nodes: 1, config: { refreshWakeUpLeadTime: leadSeconds * 1000, refresh: { jitter: 0 }, logging: { level: 'WARN', appenders: [{ type: 'console' }] } } });
  return node!;
}

/** @param ageSeconds how long ago their tokens were issued, as the rows say */
async function addOwners(name: string, number: number, ageSeconds: number): Promise<void> {
  await stores.withConnection(async (connection) => {
    for (let start = 0; start < number; start += 1000) {
      const ids = Array.from({ length: Math.min(1000, number - start) }, (_, index) => `${name}-${start + index}`);
      await connection.query('INSERT INTO tsxwho (ownerid, tokenurl, defaultconnectionresettime, isvalid, retrymax, retrydelay) VALUES ?', [ids.map((id) => [id, provider.tokenUrl, 4000, 1, 5, 1000])]);
      const [owners] = (await connection.query('SELECT tsxwhodid, ownerid FROM tsxwho WHERE ownerid IN (?)', [ids])) as unknown as [{ tsxwhodid: number; ownerid: string }[]];
      const rows = owners.map(({ tsxwhodid, ownerid }) => rowOf(tsxwhodid, ownerid, provider, new Date(Date.now() - ageSeconds * 1000)));
      await connection.query('INSERT INTO tsttoken (tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken, isvalid, createdtime) VALUES ?', [rows]);
    }
  });
}

function rowOf(did: number, owner: string, from: Provider, createdAt: Date): unknown[] {
  const { tokenAuth, expiresInMs, accessToken, refreshToken } = from.createGrant({ owner });
  return [did, tokenAuth, expiresInMs, accessToken, refreshToken, 1, createdAt];
}

/** Of the service and its courier. */
async function cpuSeconds(node: NodeProcess): Promise<number> {
  const stats = await Promise.all((await childrenOf(node.pid)).map((pid) => readFile(`/proc/${pid}/stat`, 'utf8')));
  const ticks = stats.map((stat) => stat.split(') ')[1]?.split(' ') ?? []).reduce((sum, fields) => sum + Number(fields[11]) + Number(fields[12]), 0);
  return (await metric(node, 'process_cpu_seconds_total')) + ticks / ticksPerSecond;
}

async function usedByRedis(): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
}

async function sizes(of: ClusterStores): Promise<Record<string, number>> {
  await of.query('ANALYZE TABLE tsttoken, tstspent, tstevent');
  const rows = await of.query<{ name: string; bytes: number }>("SELECT table_name AS name, data_length + index_length AS bytes FROM information_schema.tables WHERE table_schema = 'token_service'");
  return Object.fromEntries(rows.map(({ name, bytes }) => [name, Number(bytes)]));
}

async function journalBytes(): Promise<number> {
  const folder = join(stores.redis.dataFolder, 'journal-1');
  const files = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))));
  return files.reduce((sum, { size }) => sum + size, 0);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 900_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('the node did not get there in a quarter of an hour');
    await sleep(200);
  }
}

function mb(bytes: number): number {
  return Math.round(bytes / 1e6);
}

function say(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(72)} ${value}\n`);
}
