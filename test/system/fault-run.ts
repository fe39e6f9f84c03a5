import { setTimeout as sleep } from 'node:timers/promises';

import { Redis as RedisClient } from 'ioredis';

import { startBalancer } from '../harness/balancer.ts';
import { masterOf, startNodes, startStores, type ClusterStores } from '../harness/cluster.ts';
import type { NodeProcess } from '../harness/node-process.ts';
import { startProvider, type Provider } from '../harness/provider/provider.ts';
import { startReaders, type ReadsReport } from '../harness/readers.ts';

export interface FaultRunOptions {
  readonly owners: number;
  readonly tokenSeconds: number;
  readonly seconds: number;
  readonly readsPerSecond: number;
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface FaultRun {
  readonly reads: ReadsReport;
  readonly provider: Provider;
  readonly stores: ClusterStores;
  readonly nodes: readonly NodeProcess[];
  /** Grants, one for each slot. */
  readonly grants: number;
  /** What was done, and when, in seconds from the start. */
  readonly faults: readonly string[];
  /** Refreshes in the 8 s after each fault. */
  readonly refreshesAfter: ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

/** Three nodes under load while faults come one after the other. */
export async function runFaults(options: FaultRunOptions): Promise<FaultRun> {
  const stores = await startStores();
  const provider = await startProvider({ accessTokenSeconds: options.tokenSeconds, clients: [{ id: 'client-a', secret: 'secret-a' }, { id: 'client-b', secret: 'secret-b' }] });
  const owners = Array.from({ length: options.owners }, (_, index) => `owner ${index}/ü`);
  const first = await addOwners(stores, provider, owners.slice(0, 1), 0);
  const nodes = await startNodes(stores, { nodes: 3, config: options.config ?? {} });
  // One after the other over half a lifetime: tokens that were all issued at once would all be due at once.
  const others = await addOwners(stores, provider, owners.slice(1), (options.tokenSeconds * 500) / options.owners);
  const balancer = await startBalancer({ targets: [...nodes] });
  await balancer.waitForHealthy(3);
  const readers = startReaders({ urls: [balancer.url], owners, ratePerSecond: options.readsPerSecond, judge: provider.isLive.bind(provider) });
  const run = new Run(stores, provider, nodes);
  await run.through(options.seconds);
  const reads = await readers.stop();
  return {
    reads,
    provider,
    stores,
    nodes,
    grants: first + others,
    faults: run.faults,
    refreshesAfter: run.refreshesAfter,
    stop: async () => {
      await balancer.stop();
      await Promise.all(nodes.map((node) => node.stop()));
      await Promise.all([stores.remove(), provider.stop()]);
    },
  };
}

/** Every second owner has one grant only: whatever happens to it, happens to the owner. */
async function addOwners(stores: ClusterStores, provider: Provider, owners: readonly string[], pauseMs: number): Promise<number> {
  let issued = 0;
  for (const [index, owner] of owners.entries()) {
    const grants = Array.from({ length: index % 2 === 0 ? 1 : 2 }, (_, client) => provider.createGrant({ owner, client }));
    await stores.addOwner({ ownerId: owner, grants });
    issued += grants.length;
    await sleep(pauseMs);
  }
  return issued;
}

class Run {
  readonly faults: string[] = [];
  readonly refreshesAfter = new Map<string, number>();
  readonly #stores: ClusterStores;
  readonly #provider: Provider;
  readonly #nodes: readonly NodeProcess[];
  readonly #begun = performance.now();

  constructor(stores: ClusterStores, provider: Provider, nodes: readonly NodeProcess[]) {
    this.#stores = stores;
    this.#provider = provider;
    this.#nodes = nodes;
  }

  async through(seconds: number): Promise<void> {
    const step = seconds / 12;
    await this.#until(step);
    await this.#fault('the master was killed (SIGKILL)', () => this.#killMaster());
    await this.#until(3 * step);
    await this.#fault('the master was paused past its lease (SIGSTOP), then resumed (SIGCONT)', () => this.#pauseMaster());
    await this.#until(6 * step);
    await this.#fault('Redis was flushed', () => this.#flushRedis());
    await this.#until(8 * step);
    await this.#fault('Redis was restarted empty', () => this.#stores.redis.restart({ empty: true }));
    await this.#until(10 * step);
    await this.#fault('MySQL was restarted', () => this.#stores.mariaDb.restart());
    await this.#until(12 * step);
  }

  async #fault(name: string, work: () => Promise<void>): Promise<void> {
    this.faults.push(`${((performance.now() - this.#begun) / 1000).toFixed(1)} s: ${name}`);
    await work();
    const before = this.#provider.account.refreshes;
    setTimeout(() => this.refreshesAfter.set(name, this.#provider.account.refreshes - before), 8000);
  }

  async #killMaster(): Promise<void> {
    const master = await masterOf(this.#nodes);
    await master?.kill();
    await sleep(2000);
    await master?.again();
  }

  async #pauseMaster(): Promise<void> {
    const master = await masterOf(this.#nodes);
    master?.pause();
    await sleep(6000);
    master?.resume();
  }

  async #flushRedis(): Promise<void> {
    const client = new RedisClient(this.#stores.redis.url);
    await client.flushall();
    client.disconnect();
  }

  async #until(second: number): Promise<void> {
    await sleep(Math.max(0, this.#begun + second * 1000 - performance.now()));
  }
}
