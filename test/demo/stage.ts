import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startBalancer } from '../harness/balancer.ts';
import type { Balancer } from '../harness/balancer.ts';
import { masterOf, startStores } from '../harness/cluster.ts';
import type { ClusterStores } from '../harness/cluster.ts';
import { startNode } from '../harness/node-process.ts';
import type { NodeProcess } from '../harness/node-process.ts';
import { startOidcServer } from '../harness/oidc/oidc-server.ts';
import type { OidcServer } from '../harness/oidc/oidc-server.ts';
import type { DemoOptions } from './options.ts';
import { addOwners, clientsNeeded } from './owners.ts';
import type { DemoOwners } from './owners.ts';
import { count } from './report.ts';
import type { Report } from './report.ts';
import { SystemOfRecord } from './system-of-record.ts';
import { orAborted } from './until.ts';

export const accessTokenSeconds = 20;
const leadMs = 6000;
const leaseMs = 2000;

/** A node under its name; the process changes when it is started again. */
export interface DemoNode {
  readonly name: string;
  readonly logFile: string;
  process: NodeProcess;
}

export interface Stage {
  readonly record: SystemOfRecord;
  readonly oidc: OidcServer;
  readonly owners: DemoOwners;
  readonly nodes: readonly DemoNode[];
  readonly balancer: Balancer;
  /** Made for this run alone, and to be found in no log. */
  readonly sealingKey: string;
}

/** The node that leads now. */
export async function masterAmong(nodes: readonly DemoNode[]): Promise<DemoNode | undefined> {
  const master = await masterOf(nodes.map(({ process }) => process));
  return nodes.find(({ process }) => process === master);
}

/** Where the logs of the nodes are kept. */
export async function makeLogFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'token-pool-demo-'));
}

export async function removeLogFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** Starts everything, each with a line; what was started is put on `stack`, whether or not the rest can be. */
export async function setStage(report: Report, options: DemoOptions, logFolder: string, stack: AsyncDisposableStack, signal: AbortSignal): Promise<Stage> {
  report.step('Starting, all of it private to this run and on free ports');
  const stores = await openStores(report, stack, signal);
  const oidc = await startOidcServer({ accessTokenSeconds, clients: clientsNeeded });
  stack.defer(() => oidc.stop());
  started(report, 'OAuth2 server', oidc.port, `oidc-provider; access tokens of ${accessTokenSeconds} s, rotating refresh tokens`);
  const owners = await orAborted(addOwners(stores, oidc, options.owners), signal);
  report.say(`Owners         ${count(owners.names.length, 'owner')} with ${count(owners.grants.length, 'grant')}, inserted with plain SQL`);
  const sealingKey = randomBytes(32).toString('base64');
  const nodes = await startCluster(report, { stores, sealingKey, logFolder, number: options.nodes }, stack, signal);
  const balancer = await startBalancer({ targets: nodes.map(({ process }) => process) });
  stack.defer(() => balancer.stop());
  started(report, 'Balancer', balancer.port, `the one address before ${count(nodes.length, 'node')}`);
  return { record: new SystemOfRecord(stores), oidc, owners, nodes, balancer, sealingKey };
}

async function openStores(report: Report, stack: AsyncDisposableStack, signal: AbortSignal): Promise<ClusterStores> {
  report.waiting('MariaDB and Redis', 'longest the first time');
  const stores = await orAborted(startStores(), signal);
  stack.defer(() => stores.remove());
  const version = await new SystemOfRecord(stores).databaseVersion();
  started(report, 'MariaDB', stores.mariaDb.port, `version ${version}, pid ${stores.mariaDb.pid}, a data folder of its own`);
  started(report, 'Redis', stores.redis.port, `pid ${stores.redis.pid}, a data folder of its own`);
  return stores;
}

interface ClusterPlan {
  readonly stores: ClusterStores;
  readonly sealingKey: string;
  readonly logFolder: string;
  readonly number: number;
}

async function startCluster(report: Report, plan: ClusterPlan, stack: AsyncDisposableStack, signal: AbortSignal): Promise<DemoNode[]> {
  report.waiting(`${plan.number} nodes to be ready`);
  const nodes = await Promise.all(Array.from({ length: plan.number }, (_, index) => startOne(plan, `node-${index + 1}`)));
  stack.defer(() => Promise.all(nodes.map(({ process }) => process.stop(10_000))).then(() => undefined));
  await orAborted(Promise.all(nodes.map(({ process }) => process.waitReady())), signal);
  for (const { name, process } of nodes) started(report, name, Number(new URL(process.appUrl).port), `pid ${process.pid}, admin port ${new URL(process.adminUrl).port}`);
  return nodes;
}

async function startOne({ stores, sealingKey, logFolder }: ClusterPlan, name: string): Promise<DemoNode> {
  const logFile = join(logFolder, `${name}.log`);
  const config = stores.config(join(stores.redis.dataFolder, `journal-${name}`), {
    refreshWakeUpLeadTime: leadMs,
    cluster: { nodeId: name, leaseTime: leaseMs },
    sealing: { keys: [{ id: 'demo', key: sealingKey }] },
    logging: { level: 'INFO', appenders: [{ type: 'file', currentLogFilename: logFile, archive: false }] },
  });
  return { name, logFile, process: await startNode({ config }) };
}

function started(report: Report, what: string, port: number, about: string): void {
  report.say(`${what.padEnd(13)}  127.0.0.1:${port}  ${about}`);
}
