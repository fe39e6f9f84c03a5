import { createConnection, type Connection } from 'mysql2/promise';

import { loadBaseline } from './baseline.ts';
import { startNode, type NodeProcess } from './node-process.ts';
import { startMariaDb, startRedis, type MariaDb, type Redis } from './stores.ts';

export interface ClusterOptions {
  readonly nodes: number;
  /** Over the settings that all nodes share. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** A grant as providers of the harness issue it. */
export interface OwnedGrant {
  readonly tokenAuth: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresInMs: number;
  readonly tokenUrl: string;
}

export interface OwnerRow {
  readonly ownerId: string;
  readonly grants: readonly OwnedGrant[];
  readonly resetTimeMs?: number;
  readonly retryMax?: number;
  readonly retryDelayMs?: number;
  readonly refreshMode?: 'auto' | 'overlap' | 'drain';
  readonly providerPolicy?: 'reuse_detect' | 'grace' | 'non_rotating';
  readonly graceMs?: number;
}

const schema = 'token_service';

/** Private stores, before any node runs: owners are put in with {@link ClusterStores.addOwner}. */
export async function startStores(): Promise<ClusterStores> {
  const [mariaDb, redis] = await Promise.all([startMariaDb(), startRedis()]);
  await loadBaseline(mariaDb, schema);
  const { host, port, user, password } = mariaDb;
  return new ClusterStores(mariaDb, redis, () => createConnection({ host, port, user, password, database: schema, timezone: 'Z', dateStrings: false }));
}

export class ClusterStores {
  readonly mariaDb: MariaDb;
  readonly redis: Redis;
  readonly #connect: () => Promise<Connection>;

  constructor(mariaDb: MariaDb, redis: Redis, connect: () => Promise<Connection>) {
    this.mariaDb = mariaDb;
    this.redis = redis;
    this.#connect = connect;
  }

  /** As an operator would, by the manual's statements. */
  async addOwner(owner: OwnerRow): Promise<number> {
    return this.withConnection(async (connection) => {
      const values = [owner.ownerId, owner.grants[0]?.tokenUrl ?? 'http://127.0.0.1:1/token', owner.resetTimeMs ?? 200, 0, owner.retryMax ?? 5, owner.retryDelayMs ?? 300, owner.refreshMode ?? 'auto', owner.providerPolicy ?? 'reuse_detect', owner.graceMs ?? 0];
      const sql = 'INSERT INTO tsxwho (ownerid, tokenurl, defaultconnectionresettime, isvalid, reattmptcount, retrymax, retrydelay, refreshmode, providerpolicy, gracems) VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?)';
      const [inserted] = await connection.query(sql, values);
      const did = (inserted as { insertId: number }).insertId;
      for (const grant of owner.grants) await insertToken(connection, did, grant);
      return did;
    });
  }

  async addToken(ownerDid: number, grant: OwnedGrant): Promise<void> {
    await this.withConnection((connection) => insertToken(connection, ownerDid, grant));
  }

  async query<T>(sql: string, params: (string | number | null)[] = []): Promise<T[]> {
    return this.withConnection(async (connection) => (await connection.query(sql, params))[0] as T[]);
  }

  async withConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.#connect();
    try {
      return await work(connection);
    } finally {
      connection.destroy();
    }
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

async function insertToken(connection: Connection, ownerDid: number, grant: OwnedGrant): Promise<void> {
  const sql = 'insert into tsttoken ( tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken , isvalid ) values (?, ?, ?, ?, ?, 1)';
  await connection.query(sql, [ownerDid, grant.tokenAuth, grant.expiresInMs, grant.accessToken, grant.refreshToken]);
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
