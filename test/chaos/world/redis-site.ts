import { Redis as Client, type Cluster } from 'ioredis';

import { startRedisCluster, type RedisCluster } from '../../harness/redis-cluster.ts';
import { startRedisSentinel, type RedisSentinel } from '../../harness/redis-sentinel.ts';
import { startRedis, type Redis } from '../../harness/stores.ts';

export type Topology = 'single' | 'sentinel' | 'cluster';

/** How the Redis of a run is laid out, and what can be done to it. */
export interface RedisSite {
  readonly topology: Topology;
  /** Every server that holds data. */
  readonly servers: readonly Redis[];
  /** The one server that nodes are given, where there is one only. */
  readonly only: Redis | undefined;
  /** The `redis` section of a node. @param port that of a proxy in front of the only server */
  section(port: number | undefined): Record<string, unknown>;
  /** A connection that follows failovers. The caller disconnects it. */
  client(): Client | Cluster;
  /** A server dies. Resolves when another has taken over and the lost one is back. @param which of several masters, 0 to 1 */
  failover(which: number): Promise<void>;
  remove(): Promise<void>;
}

export async function startRedisSite(topology: Topology): Promise<RedisSite> {
  switch (topology) {
    case 'single':
      return singleSite(await startRedis());
    case 'sentinel':
      return sentinelSite(await startRedisSentinel());
    case 'cluster':
      return clusterSite(await startRedisCluster());
  }
}

function singleSite(only: Redis): RedisSite {
  return {
    topology: 'single',
    servers: [only],
    only,
    section: (port) => ({ url: `redis://127.0.0.1:${port ?? only.port}` }),
    client: () => silent(new Client(only.url, { maxRetriesPerRequest: 0, replyMapping: 'legacy' })),
    failover: () => Promise.reject(new Error('a single Redis has no other to fail over to')),
    remove: () => only.remove(),
  };
}

function sentinelSite(group: RedisSentinel): RedisSite {
  return {
    topology: 'sentinel',
    servers: group.servers,
    only: undefined,
    section: () => group.section,
    client: () => silent(new Client({ sentinels: group.section.sentinels, name: group.masterName, maxRetriesPerRequest: 0, replyMapping: 'legacy' })),
    failover: async () => {
      const { lost } = await group.failover();
      await lost.restart({ empty: true });
      await group.whole();
    },
    remove: () => group.remove(),
  };
}

function clusterSite(cluster: RedisCluster): RedisSite {
  return {
    topology: 'cluster',
    servers: cluster.servers,
    only: undefined,
    section: () => cluster.section,
    client: () => cluster.client(),
    failover: async (which) => {
      const { lost } = await cluster.killMasterOf(Math.floor(which * 16_384));
      await lost.restart({ empty: true });
      await cluster.whole();
    },
    remove: () => cluster.remove(),
  };
}

function silent(client: Client): Client {
  return client.on('error', () => { /* A fault is meant to break its connection. */ });
}
