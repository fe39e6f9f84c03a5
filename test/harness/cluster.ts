import { createConnection, type Connection } from 'mysql2/promise';

import { loadBaseline } from './baseline.ts';
import { startNode, type NodeProcess } from './node-process.ts';
import { startMariaDb, startRedis, type MariaDb, type Redis } from './stores.ts';
import { SystemOfRecord } from './system-of-record.ts';

export interface ClusterOptions {
  readonly nodes: number;
  /** Over the settings that all nodes share. */
  readonly config?: Readonly<Record<string, unknown>>;
}

const schema = 'token_service';

/** Private stores, before any node runs: owners are put in with {@link ClusterStores.addOwner}. */
export async function startStores(): Promise<ClusterStores> {
  const [mariaDb, redis] = await Promise.all([startMariaDb(), startRedis()]);
  await loadBaseline(mariaDb, schema);
  const { host, port, user, password } = mariaDb;
  return new ClusterStores(mariaDb, redis, () => createConnection({ host, port, user, password, database: schema, timezone: 'Z', dateStrings: false }));
}

export class ClusterStores extends SystemOfRecord {
  readonly redis: Redis;

  constructor(mariaDb: MariaDb, redis: Redis, connect: () => Promise<Connection>) {
    super(mariaDb, connect);
    this.redis = redis;
  }

  async remove(): Promise<void> {
    await Promise.all([this.mariaDb.remove(), this.redis.remove()]);
  }

  /** What every node of the cluster is told; times are short, so that tests need not wait. */
  config(journalFolder: string, over: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    const { user, password } = this.mariaDb;
    return {
      database: { url: this.mariaDb.jdbcUrl(schema), user, password },
      redis: { url: this.redis.url },
      journal: { folder: journalFolder },
      logging: { level: 'INFO', appenders: [{ type: 'console' }] },
      ...over,
    };
  }
}

/** Nodes on the stores; returns when all are ready. */
export async function startNodes(stores: ClusterStores, { nodes, config }: ClusterOptions): Promise<NodeProcess[]> {
  const started = await Promise.all(Array.from({ length: nodes }, (_, index) => {
    const { cluster, ...rest } = (config ?? {}) as { cluster?: object };
    return startNode({ config: stores.config(`${stores.redis.dataFolder}/journal-${index + 1}`, { ...rest, cluster: { nodeId: `node-${index + 1}`, ...cluster } }) });
  }));
  await Promise.all(started.map((node) => node.waitReady(30_000)));
  return started;
}

/** The node that leads now; undefined between two terms. */
export async function masterOf(nodes: readonly NodeProcess[]): Promise<NodeProcess | undefined> {
  for (const node of nodes.filter(({ isRunning }) => isRunning)) {
    const state = await fetch(`${node.adminUrl}/cluster`, { signal: AbortSignal.timeout(1000) }).then((answer) => answer.json() as Promise<{ role: string }>).catch(() => undefined);
    if (state?.role === 'master') return node;
  }
  return undefined;
}
