import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createConnection } from 'mysql2/promise';

import { startBalancer, type Balancer } from '../../harness/balancer.ts';
import { loadBaseline } from '../../harness/baseline.ts';
import { masterOf } from '../../harness/cluster.ts';
import { startMariaDb } from '../../harness/stores.ts';
import { SystemOfRecord } from '../../harness/system-of-record.ts';
import { schemaRemovals, type Guard } from '../sabotage/guards.ts';
import { Orders } from '../sabotage/orders.ts';
import { sabotaged } from '../sabotage/sabotaged.ts';
import { FleetNode } from '../../harness/fleet-node.ts';
import { JournalDisk } from './journal-disk.ts';
import { networkTo, type NodeNetwork } from './network.ts';
import { Population, type KindName } from './population.ts';
import { startRedisSite, type RedisSite, type Topology } from './redis-site.ts';
import { untilServed } from './until-served.ts';

export interface WorldOptions {
  readonly nodes: number;
  readonly owners: number;
  /** All owners are of this kind; default some of each. */
  readonly only?: KindName;
  readonly tokenSeconds: number;
  readonly topology: Topology;
  /** Left out of every node; none in a run that is to be trusted. */
  readonly withoutGuards?: readonly Guard[];
  /** Over what all nodes are told. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** One node with what is its own. */
export interface Member {
  readonly node: FleetNode;
  readonly network: NodeNetwork;
  readonly disk: JournalDisk;
}

const schema = 'token_service';

/** As the manual says: rights on the tables, none on the server. */
const nodeUser = { user: 'tokenpool', password: 'the password of the nodes' };

/** A whole cluster with all that it needs, each part of which can be made to fail. */
export class World {
  readonly record: SystemOfRecord;
  readonly redis: RedisSite;
  readonly population: Population;
  readonly members: readonly Member[];
  readonly orders: Orders;
  readonly balancer: Balancer;
  /** Files by which running nodes are told of their wall clock and of the election. */
  readonly folder: string;

  private constructor(parts: Pick<World, 'record' | 'redis' | 'population' | 'members' | 'orders' | 'balancer' | 'folder'>) {
    this.record = parts.record;
    this.redis = parts.redis;
    this.population = parts.population;
    this.members = parts.members;
    this.orders = parts.orders;
    this.balancer = parts.balancer;
    this.folder = parts.folder;
  }

  static async create(options: WorldOptions, prepare: (record: SystemOfRecord) => Promise<void> = async () => undefined): Promise<World> {
    const [record, redis, folder] = await Promise.all([startRecord(), startRedisSite(options.topology), mkdtemp(join(tmpdir(), 'tps-chaos-'))]);
    await prepare(record);
    for (const sql of schemaRemovals(options.withoutGuards ?? [])) await record.query(sql);
    // Without any owner no node starts; those with tokens come when the nodes are up, so that a slow start costs no token its life.
    await record.addOwner({ ownerId: 'has nothing yet', grants: [] });
    const orders = new Orders(folder);
    const members = await Promise.all(Array.from({ length: options.nodes }, (_, index) => startMember(`node-${index + 1}`, { record, redis, folder }, options)));
    try {
      await Promise.all(members.map(({ node }) => node.process.waitReady(60_000)));
    } catch (error) {
      // A node that cannot start would be started again and again.
      await removeMembers(members);
      await Promise.all([redis.remove(), record.mariaDb.remove(), rm(folder, { recursive: true, force: true })]);
      throw error;
    }
    const balancer = await startBalancer({ targets: members.map(({ node }) => ({ appUrl: node.appUrl, adminUrl: node.adminUrl })) });
    await balancer.waitForHealthy(options.nodes);
    const population = await Population.create(record, options.tokenSeconds);
    await population.settle(options.owners, (options.tokenSeconds * 400) / options.owners, options.only);
    await untilServed(members.map(({ node }) => node.appUrl), population.owners);
    return new World({ record, redis, population, members, orders, balancer, folder });
  }

  get nodes(): readonly FleetNode[] {
    return this.members.map(({ node }) => node);
  }

  get journalFolders(): readonly string[] {
    return this.members.map(({ disk }) => disk.folder);
  }

  /** Attempts whose answer was on a node's disk when it came to the point at which something was done to its process. */
  get seenOnDisk(): readonly string[] {
    return this.orders.hits().flatMap(({ point, attempt }) => (point === 'after-keep' && attempt !== undefined ? [attempt] : []));
  }

  /** With which the nodes log in to the database. */
  get nodePassword(): string {
    return nodeUser.password;
  }

  /** The member that leads now; undefined between two terms. */
  async master(): Promise<Member | undefined> {
    const leading = await masterOf(this.nodes.map(({ process }) => process));
    return this.members.find(({ node }) => node.process === leading);
  }

  async remove(): Promise<void> {
    await this.balancer.stop();
    await removeMembers(this.members);
    await Promise.all([this.redis.remove(), this.record.mariaDb.remove(), this.population.remove(), rm(this.folder, { recursive: true, force: true })]);
  }
}

async function removeMembers(members: readonly Member[]): Promise<void> {
  await Promise.all(members.map(({ node }) => node.stop()));
  await Promise.all(members.flatMap(({ network }) => [network.mysql, ...(network.redis ? [network.redis] : [])]).map((proxy) => proxy.stop()));
  for (const { disk } of members) disk.remove();
}

async function startRecord(): Promise<SystemOfRecord> {
  const mariaDb = await startMariaDb();
  await loadBaseline(mariaDb, schema);
  const { host, port, user, password } = mariaDb;
  const connect = () => createConnection({ host, port, user, password, database: schema, timezone: 'Z', dateStrings: false, multipleStatements: true });
  const record = new SystemOfRecord(mariaDb, connect);
  await record.withConnection(async (connection) => {
    await connection.query(`CREATE USER '${nodeUser.user}'@'%' IDENTIFIED BY '${nodeUser.password}'; GRANT SELECT, INSERT, UPDATE, DELETE ON ${schema}.* TO '${nodeUser.user}'@'%'`);
  });
  return record;
}

async function startMember(name: string, { record, redis, folder }: { record: SystemOfRecord; redis: RedisSite; folder: string }, { withoutGuards = [], config = {} }: WorldOptions): Promise<Member> {
  const network = await networkTo(record.mariaDb.port, redis.only?.port);
  const disk = new JournalDisk(join(folder, `disk-${name}`));
  const { cluster, ...rest } = config as { cluster?: object };
  const node = await FleetNode.start(name, {
    env: sabotaged({ folder, node: name, guards: withoutGuards }),
    config: {
      database: { url: `jdbc:mysql://127.0.0.1:${network.mysql.port}/${schema}?useSSL=false&serverTimezone=UTC`, ...nodeUser },
      redis: redis.section(network.redis?.port),
      journal: { folder: disk.folder },
      logging: { level: 'INFO', appenders: [{ type: 'console' }] },
      cluster: { nodeId: name, ...cluster },
      ...rest,
    },
  });
  return { node, network, disk };
}
