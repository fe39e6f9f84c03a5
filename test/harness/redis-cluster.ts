import { Cluster } from 'ioredis';

import { freePort } from './ports.ts';
import { ask, fieldsOf, infoOf, seen } from './redis-admin.ts';
import { startRedis } from './stores.ts';
import type { Redis } from './stores.ts';

export interface RedisClusterOptions {
  /** How long a server may be silent before the others replace it, ms, default 1000. */
  readonly nodeTimeoutMs?: number;
  /** Whether the cluster refuses everything while a slot is served by nobody; default true, as it is Redis' own. */
  readonly fullCoverage?: boolean;
}

export interface ShardFailover {
  readonly lost: Redis;
  readonly master: Redis;
  /** From the fault until the new master served the slot in a cluster that is up, ms. */
  readonly tookMs: number;
}

const slots = 16_384;
const shards = 3;

/** Three masters with a replica each, formed and in step. */
export async function startRedisCluster({ nodeTimeoutMs = 1000, fullCoverage = true }: RedisClusterOptions = {}): Promise<RedisCluster> {
  const opened: { server: Redis; busPort: number }[] = [];
  const open = async (): Promise<void> => {
    const busPort = await freePort();
    const settings = { 'cluster-enabled': 'yes', 'cluster-port': busPort, 'cluster-node-timeout': nodeTimeoutMs, 'cluster-replica-validity-factor': 0, 'repl-diskless-sync-delay': 0, 'cluster-require-full-coverage': fullCoverage ? 'yes' : 'no' };
    opened.push({ server: await startRedis({ args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]) }), busPort });
  };
  try {
    await Promise.all(Array.from({ length: 2 * shards }, open));
    const cluster = new RedisCluster(opened.map(({ server }) => server));
    await form(opened);
    await cluster.whole();
    return cluster;
  } catch (error) {
    await Promise.all(opened.map(({ server }) => server.remove()));
    throw error;
  }
}

/** A Redis Cluster whose servers keep no data on disk, only who they are in the cluster. */
export class RedisCluster {
  /** Masters and replicas, whoever is which. */
  readonly servers: readonly Redis[];

  constructor(servers: readonly Redis[]) {
    this.servers = servers;
  }

  /** The `redis` section of a node's configuration. */
  get section(): { cluster: { host: string; port: number }[] } {
    return { cluster: this.servers.map(({ host, port }) => ({ host, port })) };
  }

  async slotOf(key: string): Promise<number> {
    return seen('a server that answers', () => Promise.any(this.servers.map((server) => ask<number>(server, 'CLUSTER', 'KEYSLOT', key))));
  }

  /** Who serves the slot of the key, by the word of most of the servers. */
  async masterOf(slotOrKey: number | string): Promise<Redis> {
    const slot = typeof slotOrKey === 'number' ? slotOrKey : await this.slotOf(slotOrKey);
    return seen(`a master of slot ${slot}`, () => this.#namedFor(slot));
  }

  /** Kills the master of the slot, for good unless it is restarted, and waits until its replica has taken over. */
  async killMasterOf(slotOrKey: number | string): Promise<ShardFailover> {
    return this.#replaced(slotOrKey, (lost) => lost.kill());
  }

  /** Freezes the master of the slot (SIGSTOP) and waits until its replica has taken over; `thaw` the lost one to have it back. */
  async freezeMasterOf(slotOrKey: number | string): Promise<ShardFailover> {
    return this.#replaced(slotOrKey, (lost) => { lost.freeze(); });
  }

  /** Whether everything is refused while a slot is served by nobody; on all servers at once. */
  async requireFullCoverage(required: boolean): Promise<void> {
    await Promise.all(this.servers.map((server) => ask(server, 'CONFIG', 'SET', 'cluster-require-full-coverage', required ? 'yes' : 'no')));
  }

  /** Resolves when every server is up and knows all others, every slot is served, and each master has a replica in step. */
  async whole(): Promise<void> {
    await seen('a whole cluster', async () => {
      const states = await Promise.all(this.servers.map(stateOf));
      const masters = states.filter(({ role }) => role === 'master');
      return states.every(({ isWhole }) => isWhole) && masters.length === shards && masters.every(({ replicas }) => replicas === '1');
    }, 30_000);
  }

  /** A plain client of the cluster, to look inside. The caller disconnects it. */
  client(): Cluster {
    const client = new Cluster(this.section.cluster, { redisOptions: { replyMapping: 'legacy' } });
    client.on('error', () => { /* A fault is meant to break its connections. */ });
    return client;
  }

  async remove(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.remove()));
  }

  async #replaced(slotOrKey: number | string, fault: (master: Redis) => Promise<void> | void): Promise<ShardFailover> {
    const lost = await this.masterOf(slotOrKey);
    const slot = typeof slotOrKey === 'number' ? slotOrKey : await this.slotOf(slotOrKey);
    const begun = performance.now();
    await fault(lost);
    const master = await seen('a replica that takes over', async () => {
      const named = await this.#namedFor(slot, [lost]);
      return named !== undefined && named !== lost && (await clusterInfo(named))['cluster_state'] === 'ok' && named;
    });
    return { lost, master, tookMs: performance.now() - begun };
  }

  async #namedFor(slot: number, except: readonly Redis[] = []): Promise<Redis | undefined> {
    const asked = this.servers.filter((server) => !except.includes(server));
    const views = await Promise.all(asked.map((server) => ask<[number, number, [string, number]][]>(server, 'CLUSTER', 'SLOTS').catch(() => [])));
    const ports = views.map((view) => view.find(([first, last]) => first <= slot && slot <= last)?.[2][1]);
    return this.servers.find(({ port }) => ports.filter((named) => named === port).length > this.servers.length / 2);
  }
}

/** As `redis-cli --cluster create` does it, without a question to answer. */
async function form(opened: readonly { readonly server: Redis; readonly busPort: number }[]): Promise<void> {
  const servers = opened.map(({ server }) => server);
  await Promise.all(servers.map((server, index) => ask(server, 'CLUSTER', 'SET-CONFIG-EPOCH', index + 1)));
  for (const [index, master] of servers.slice(0, shards).entries()) await ask(master, 'CLUSTER', 'ADDSLOTSRANGE', ...shareOf(index));
  for (const server of servers) for (const other of opened) if (other.server !== server) await ask(server, 'CLUSTER', 'MEET', other.server.host, other.server.port, other.busPort);
  await Promise.all(servers.map((server) => seen('servers that know one another', async () => (await stateOf(server)).knownNodes === 2 * shards)));
  const ids = await Promise.all(servers.map((server) => ask<string>(server, 'CLUSTER', 'MYID')));
  for (const [index, replica] of servers.slice(shards).entries()) await seen('a replica', async () => (await ask<string>(replica, 'CLUSTER', 'REPLICATE', ids[index]!)) === 'OK');
}

function shareOf(shard: number): [first: number, last: number] {
  return [Math.ceil((shard * slots) / shards), Math.ceil(((shard + 1) * slots) / shards) - 1];
}

async function stateOf(server: Redis): Promise<{ role: string | undefined; replicas: string | undefined; knownNodes: number; isWhole: boolean }> {
  const [{ cluster_state: state, cluster_known_nodes: known, cluster_slots_ok: served }, { role, connected_slaves: replicas, master_link_status: link }] = await Promise.all([clusterInfo(server), infoOf(server, 'replication')]);
  return { role, replicas, knownNodes: Number(known), isWhole: state === 'ok' && Number(known) === 2 * shards && served === String(slots) && (role === 'master' || link === 'up') };
}

async function clusterInfo(server: Redis): Promise<Readonly<Record<string, string>>> {
  return fieldsOf(await ask<string>(server, 'CLUSTER', 'INFO'));
}
