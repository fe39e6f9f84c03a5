import { Redis as RedisClient } from 'ioredis';

import { ask, infoOf, seen } from './redis-admin.ts';
import { startRedis } from './stores.ts';
import type { Redis } from './stores.ts';

export interface SentinelOptions {
  /** Default 2. */
  readonly replicas?: number;
  /** How long the primary may be silent before the sentinels replace it, ms, default 1000; with much less they replace the new primary too, before they have reached it. */
  readonly downAfterMs?: number;
}

export interface Failover {
  readonly lost: Redis;
  readonly primary: Redis;
  /** From the fault until a majority of the sentinels named the new primary, and it took writes, ms. */
  readonly tookMs: number;
}

const masterName = 'pool';
const quorum = 2;
/** Replicas that come for all data at the same moment share one transfer; here nobody waits 5 s for others to come. */
const atOnce = ['--repl-diskless-sync-delay', '0'];

/** One primary, replicas and three sentinels, up and agreed on who is who. */
export async function startRedisSentinel({ replicas = 2, downAfterMs = 1000 }: SentinelOptions = {}): Promise<RedisSentinel> {
  const opened: Redis[] = [];
  const open = async (file: string, ...args: string[]): Promise<Redis> => {
    const server = await startRedis({ file, args });
    opened.push(server);
    return server;
  };
  try {
    const primary = await open('', ...atOnce);
    const others = await Promise.all(Array.from({ length: replicas }, () => open(`replicaof ${primary.host} ${primary.port}\n`, ...atOnce)));
    const sentinels = await Promise.all(Array.from({ length: 3 }, () => open(sentinelFile(primary, downAfterMs), '--sentinel')));
    const group = new RedisSentinel([primary, ...others], sentinels);
    await group.whole();
    return group;
  } catch (error) {
    await Promise.all(opened.map((server) => server.remove()));
    throw error;
  }
}

/** A Redis behind Sentinel. Its servers keep nothing on disk, but Sentinel has them remember whose replica they are. */
export class RedisSentinel {
  readonly masterName = masterName;
  /** Primary and replicas, whoever is which. */
  readonly servers: readonly Redis[];
  readonly sentinels: readonly Redis[];

  constructor(servers: readonly Redis[], sentinels: readonly Redis[]) {
    this.servers = servers;
    this.sentinels = sentinels;
  }

  /** The `redis` section of a node's configuration. */
  get section(): { sentinels: { host: string; port: number }[]; masterName: string } {
    return { sentinels: this.sentinels.map(({ host, port }) => ({ host, port })), masterName };
  }

  /** Whom a majority of the sentinels names. */
  async primary(): Promise<Redis> {
    return seen('sentinels that agree on a primary', () => this.#named());
  }

  /** Kills the primary, for good unless it is restarted, and waits for the next. */
  async failover(): Promise<Failover> {
    return this.#replaced((lost) => lost.kill());
  }

  /** Freezes the primary (SIGSTOP) and waits for the next; `thaw` the lost one to have it back as what it believes to be. */
  async freezePrimary(): Promise<Failover> {
    return this.#replaced((lost) => { lost.freeze(); });
  }

  /** Resolves when every server is up and a replica of one primary, in step with it, and every sentinel knows all of them. */
  async whole(): Promise<void> {
    await seen('a whole group', async () => {
      const primary = await this.#named();
      if (primary === undefined) return false;
      const replicas = this.servers.filter((server) => server !== primary);
      const linked = await Promise.all(replicas.map((replica) => isReplicaOf(replica, primary)));
      const known = await Promise.all(this.sentinels.map((sentinel) => knowsAll(sentinel, replicas.length, this.sentinels.length - 1)));
      return [...linked, ...known].every(Boolean);
    }, 30_000);
  }

  /** A plain connection to the primary of this moment, to look inside; it does not follow. The caller disconnects it. */
  async client(): Promise<RedisClient> {
    return new RedisClient((await this.primary()).url);
  }

  async remove(): Promise<void> {
    await Promise.all(this.sentinels.map((sentinel) => sentinel.remove()));
    await Promise.all(this.servers.map((server) => server.remove()));
  }

  async #replaced(fault: (primary: Redis) => Promise<void> | void): Promise<Failover> {
    const lost = await this.primary();
    const begun = performance.now();
    await fault(lost);
    const primary = await seen('a new primary', async () => {
      const named = await this.#named();
      return named !== undefined && named !== lost && (await infoOf(named, 'replication'))['role'] === 'master' && named;
    });
    return { lost, primary, tookMs: performance.now() - begun };
  }

  async #named(): Promise<Redis | undefined> {
    const answers = await Promise.all(this.sentinels.map((sentinel) => ask<[string, string]>(sentinel, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', masterName).catch(() => undefined)));
    return this.servers.find(({ port }) => answers.filter((answer) => answer?.[1] === String(port)).length > this.sentinels.length / 2);
  }
}

function sentinelFile({ host, port }: Redis, downAfterMs: number): string {
  return [
    `sentinel monitor ${masterName} ${host} ${port} ${quorum}`,
    `sentinel down-after-milliseconds ${masterName} ${downAfterMs}`,
    `sentinel failover-timeout ${masterName} 3000`,
    '',
  ].join('\n');
}

async function isReplicaOf(replica: Redis, primary: Redis): Promise<boolean> {
  const { role, master_port: port, master_link_status: link } = await infoOf(replica, 'replication');
  return role === 'slave' && port === String(primary.port) && link === 'up';
}

async function knowsAll(sentinel: Redis, replicas: number, otherSentinels: number): Promise<boolean> {
  const { master0 = '' } = await infoOf(sentinel, 'sentinel');
  return master0.includes('status=ok') && master0.includes(`slaves=${replicas},`) && master0.includes(`sentinels=${otherSentinels + 1}`);
}
