import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';

import { queueOptions } from '../../src/assembly/settings.ts';
import { StoreUnavailable } from '../../src/domain/errors.ts';
import { CommandSender, CommandWorker, type Command } from '../../src/queue/command-queue.ts';
import { RefreshQueue, type DueRefresh } from '../../src/queue/refresh-queue.ts';
import { RefreshWorker } from '../../src/queue/refresh-worker.ts';
import type { RedisEndpoint, RedisRole } from '../../src/redis/endpoint.ts';
import { RedisLease } from '../../src/redis/lease.ts';
import { infoOf, seen } from '../harness/redis-admin.ts';
import { startRedisCluster } from '../harness/redis-cluster.ts';
import { startRedisSentinel } from '../harness/redis-sentinel.ts';
import type { Redis } from '../harness/stores.ts';
import { untilReady, useClients } from './clients.ts';

type Fault = 'is killed' | 'hangs';

/** A Redis of several servers, one of which takes the place of another. */
interface Layout {
  readonly endpoint: RedisEndpoint;
  readonly servers: readonly Redis[];
  /** Of the key, where there are several. */
  leaderOf(key: string): Promise<Redis>;
  /** Something happens to the leader of the key; resolves when another server leads. */
  lead(fault: Fault, key: string): Promise<unknown>;
  remove(): Promise<void>;
}

async function bySentinels(): Promise<Layout> {
  const group = await startRedisSentinel();
  return {
    endpoint: group.section,
    servers: group.servers,
    leaderOf: () => group.primary(),
    lead: (fault) => (fault === 'hangs' ? group.freezePrimary() : group.failover()),
    remove: () => group.remove(),
  };
}

async function asCluster(): Promise<Layout> {
  const cluster = await startRedisCluster();
  return {
    endpoint: cluster.section,
    servers: cluster.servers,
    leaderOf: (key) => cluster.masterOf(key),
    lead: (fault, key) => (fault === 'hangs' ? cluster.freezeMasterOf(key) : cluster.killMasterOf(key)),
    remove: () => cluster.remove(),
  };
}

const layouts = [
  { where: 'behind Sentinel', start: bySentinels },
  { where: 'in a Redis Cluster', start: asCluster },
] as const;

/** How late an alarm may ring on a machine that is busy with something else too, ms: BullMQ ends a wait by itself a second after its time. */
const onTimeMs = 1_500;
/** After another server leads: until connections are made anew and BullMQ looks for what is due, ms. */
const recoveryMs = 5_000;

const connect = useClients();
const open: { close?: () => Promise<void>; stop?: () => Promise<void> }[] = [];
const ignore = (): void => undefined;

afterEach(async () => {
  for (const each of open.splice(0)) await (each.stop?.() ?? each.close?.());
});

/** Started before the tests of the block that calls this, and gone after them. */
function useLayout(start: () => Promise<Layout>): () => Layout {
  let layout: Layout | undefined;
  beforeAll(async () => { layout = await start(); });
  afterAll(() => layout?.remove());
  return () => layout!;
}

interface Ring {
  readonly version: number;
  readonly dueAt: number;
  /** Epoch ms. */
  readonly at: number;
}

/** The queues of a master and of a follower, connected and named as the service does it, with the alarms that rang. */
async function queuesOn({ endpoint }: Layout): Promise<{ queue: RefreshQueue; rings: Ring[]; sender: CommandSender; prefix: string }> {
  const rings: Ring[] = [];
  const options = (role: 'queue' | 'worker') => queueOptions({ config: { redis: { keyPrefix: 'tps' } }, stores: { redis: (of: RedisRole) => connect(endpoint, of) } }, role);
  const ofQueue = options('queue');
  const queue = new RefreshQueue(ofQueue, Date.now, ignore);
  const worker = new RefreshWorker(options('worker'), ({ version, dueAt }) => { rings.push({ version, dueAt, at: Date.now() }); }, ignore);
  const sender = new CommandSender(options('queue'), Date.now, ignore);
  const commands = new CommandWorker(options('worker'), Date.now, (command) => Promise.resolve({ ok: true, version: command.verb === 'refresh' ? command.version : 0 }), ignore);
  open.push(worker, queue, commands, sender);
  await Promise.all([worker.start(), commands.start()]);
  return { queue, rings, sender, prefix: ofQueue.prefix };
}

function due(version: number, inMs: number): DueRefresh {
  return { version, ownerDid: 1, dueAt: Date.now() + inMs };
}

const refresh = (version: number): Command => ({ verb: 'refresh', ownerId: 'gw/1 ü', version });

async function ringOf(version: number, rings: readonly Ring[]): Promise<Ring> {
  return vi.waitUntil(() => rings.find((ring) => ring.version === version), { timeout: 30_000, interval: 10 });
}

/** Resolves when the replicas of the leader hold all that it holds now: what it was told later may be lost with it. */
async function untilCopied(layout: Layout, key: string): Promise<void> {
  const leader = await layout.leaderOf(key);
  const { master_repl_offset: written } = await infoOf(leader, 'replication');
  await seen('replicas in step', async () => {
    const all = await Promise.all(layout.servers.map((server) => infoOf(server, 'replication')));
    const replicas = all.filter(({ role, master_port: port }) => role === 'slave' && port === String(leader.port));
    return replicas.length > 0 && replicas.every(({ slave_repl_offset: held }) => Number(held) >= Number(written));
  });
}

describe.each(layouts)('BullMQ $where', ({ start }) => {
  describe.each(['is killed', 'hangs'] as const)('whose server %s', (fault) => {
    const layout = useLayout(start);

    test('rings on time and has commands carried out, before and when another leads; rings then, soon, what was set before and had been copied', async () => {
      const { queue, rings, sender, prefix } = await queuesOn(layout());
      await queue.schedule([due(0, 0)]);
      await ringOf(0, rings);
      await queue.schedule([due(1, 500)]);
      const before = await ringOf(1, rings);
      expect(await sender.send(refresh(1), 10_000)).toEqual({ ok: true, version: 1 });

      await queue.schedule([due(2, 1_500), due(3, 4_500)]);
      await untilCopied(layout(), prefix);
      const brokenAt = Date.now();
      await layout().lead(fault, prefix);
      const leadsAt = Date.now();
      // As a master does: by each alarm that is set BullMQ looks for the next again, which in a Cluster it else does every 10 s.
      await vi.waitFor(() => queue.schedule([due(4, 500)]), { timeout: 10_000, interval: 50 });
      const across = [await ringOf(2, rings), await ringOf(3, rings), await ringOf(4, rings)];

      await queue.schedule([due(5, 500)]);
      const after = await ringOf(5, rings);
      expect(await sender.send(refresh(2), 10_000)).toEqual({ ok: true, version: 2 });

      for (const { at, dueAt } of [before, ...across, after]) expect(at).toBeGreaterThanOrEqual(dueAt);
      for (const { at, dueAt } of [before, after]) expect(at - dueAt).toBeLessThan(onTimeMs);
      for (const { at, dueAt } of across) {
        expect(at).toBeGreaterThan(brokenAt);
        expect(at).toBeLessThan(Math.max(dueAt + onTimeMs, leadsAt + recoveryMs));
      }
    }, 90_000);
  });
});

describe.each(layouts)('the lease $where', ({ start }) => {
  const leaseMs = 5_000;
  const layout = useLayout(start);

  async function nodes(prefix: string): Promise<RedisLease[]> {
    return Promise.all(Array.from({ length: 3 }, async () => new RedisLease(await untilReady(connect(layout().endpoint, 'lease')), prefix)));
  }

  /** Those that are told that they hold it when all ask at once, as they do to renew it and to get it. */
  async function holders(asked: readonly RedisLease[]): Promise<RedisLease[]> {
    const answers = await Promise.all(asked.map(holds));
    return asked.filter((_, index) => answers[index]);
  }

  async function holds(lease: RedisLease): Promise<boolean> {
    try {
      return (await lease.extend(leaseMs)) || (await lease.acquire(leaseMs));
    } catch (error) {
      if (error instanceof StoreUnavailable) return false;
      throw error;
    }
  }

  test('is held by one node, which can extend it, and refused to another until it is given up', async () => {
    const [a, b] = (await nodes('by-hand')) as [RedisLease, RedisLease];
    expect(await a.acquire(leaseMs)).toBe(true);
    expect(await b.acquire(leaseMs)).toBe(false);
    expect(await b.extend(leaseMs)).toBe(false);
    expect(await a.extend(leaseMs)).toBe(true);
    await a.release();
    expect(await b.acquire(leaseMs)).toBe(true);
    expect(await a.extend(leaseMs)).toBe(false);
    expect(await a.acquire(leaseMs)).toBe(false);
  });

  test('may be lost with a server that is killed; the next one soon gives it to one node, and never says yes to two (who believes in an old one is kept out by the epoch in MySQL)', async () => {
    const asking = await nodes('tps');
    await vi.waitFor(async () => { expect(await holders(asking)).toHaveLength(1); }, { timeout: 10_000, interval: 50 });
    const rounds: number[] = [];
    const progress = { leads: false };
    const takeover = layout().lead('is killed', 'tps:lease').then(() => { progress.leads = true; });
    let last: RedisLease[] = [];
    for (let heldRounds = 0; heldRounds < 10; await delay(50)) {
      last = await holders(asking);
      rounds.push(last.length);
      if (progress.leads && last.length > 0) heldRounds++;
    }
    await takeover;
    expect(rounds).toContain(0);
    expect(Math.max(...rounds)).toBe(1);
    const holder = last[0]!;
    const others = asking.filter((lease) => lease !== holder);
    expect(await holders(others)).toHaveLength(0);
    await holder.release();
    await vi.waitFor(async () => { expect(await holders(others)).toHaveLength(1); }, { timeout: 10_000, interval: 50 });
    expect(await holds(holder)).toBe(false);
  }, 60_000);
});
