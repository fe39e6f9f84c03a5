import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

import type { RedisClient } from '../../src/redis/connection.ts';
import type { RedisRole } from '../../src/redis/endpoint.ts';
import { FeedPublisher } from '../../src/redis/feed.ts';
import type { FeedMessage } from '../../src/redis/feed-message.ts';
import { FeedSubscriber } from '../../src/redis/feed-subscriber.ts';
import { RedisLease } from '../../src/redis/lease.ts';
import { ask } from '../harness/redis-admin.ts';
import { startRedisCluster } from '../harness/redis-cluster.ts';
import type { RedisCluster } from '../harness/redis-cluster.ts';
import type { Redis } from '../harness/stores.ts';
import { silent, timed, untilReady, useClients } from './clients.ts';

const connect = useClients();
const ignore = (): void => undefined;
let cluster: RedisCluster;

beforeAll(async () => { cluster = await startRedisCluster(); });
afterAll(() => cluster.remove());

/** The server that the nodes of the test listen to. */
async function listenedTo(): Promise<Redis> {
  const counts = await Promise.all(cluster.servers.map((server) => ask<unknown[]>(server, 'PUBSUB', 'NUMSUB', 'tps:feed').catch(() => [])));
  return cluster.servers[counts.findIndex(([, listeners]) => Number(listeners) > 0)]!;
}

describe('the feed in a Redis Cluster', () => {
  let heard: FeedMessage[];
  let breaks: string[];
  let subscriber: FeedSubscriber;
  let publisher: FeedPublisher;

  beforeEach(async () => {
    [heard, breaks] = [[], []];
    subscriber = new FeedSubscriber(connect({ cluster: cluster.section.cluster }, 'subscriber'), 'tps', { onMessage: (message) => heard.push(message), onGap: (why) => breaks.push(why) }, silent);
    await subscriber.start();
    publisher = new FeedPublisher(await untilReady(connect({ cluster: cluster.section.cluster }, 'write')), 'tps', ignore);
    await heardAgainWithin(5_000);
    await publisher.publish({ kind: 'owner', owner: 'the last of these' });
    await vi.waitFor(() => { expect(heard.at(-1)).toMatchObject({ owner: 'the last of these' }); });
    [heard, breaks] = [[], []];
    return () => subscriber.stop();
  });

  async function heardAgainWithin(ms: number): Promise<void> {
    await vi.waitFor(async () => {
      await publisher.publish({ kind: 'beat', epoch: 1 });
      expect(subscriber.healthy).toBe(true);
    }, { timeout: ms, interval: 50 });
  }

  test('keeps its order, however many messages are sent at once', async () => {
    const messages = Array.from({ length: 1_000 }, (_, index): FeedMessage => ({ kind: 'owner', owner: String(index) }));
    await Promise.all(messages.map((message) => publisher.publish(message)));
    await vi.waitFor(() => { expect(heard).toHaveLength(messages.length); });
    expect(heard).toEqual(messages);
    expect(breaks).toEqual([]);
  });

  test.each(['is killed', 'hangs'] as const)('is heard from another server when the one that is listened to %s', async (what) => {
    const server = await listenedTo();
    if (what === 'hangs') server.freeze();
    else await server.kill();
    await vi.waitFor(() => { expect(subscriber.healthy).toBe(false); }, { timeout: 3_000, interval: 20 });
    await heardAgainWithin(10_000);
    expect(await listenedTo()).not.toBe(server);
    if (what === 'hangs') server.thaw();
    else await server.restart();
    await cluster.whole();
  }, 30_000);

  test('costs no processor time while no server is there', async () => {
    await Promise.all(cluster.servers.map((server) => server.kill()));
    await delay(500);
    const before = process.cpuUsage();
    await delay(2_000);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 2_000_000).toBeLessThan(0.2);
    await Promise.all(cluster.servers.map((server) => server.restart()));
    await cluster.whole();
    await heardAgainWithin(5_000);
  }, 30_000);
});

describe('a connection to a Redis Cluster', () => {
  const limits = { read: 150, write: 400, lease: 400, queue: 2000 } as const;

  test('gives up in time while a server hangs, and goes on with the one that takes its place', async () => {
    const roles = Object.keys(limits) as (keyof typeof limits)[];
    const clients = await Promise.all(roles.map((role) => connected(role)));
    const hung = cluster.freezeMasterOf('key');
    const slowest = await Promise.all(clients.map(async (client, index) => timesUntilItAnswers(client, limits[roles[index]!])));
    const { lost, tookMs } = await hung;
    for (const { longestMs, backMs } of slowest) {
      expect(backMs).toBeLessThan(tookMs + 2_500);
      expect(longestMs).toBeLessThan(2_400);
    }
    for (const [index, { longestMs }] of slowest.entries()) expect(longestMs, roles[index]).toBeLessThan(limits[roles[index]!] + 300);
    lost.thaw();
    await cluster.whole();
    for (const client of clients) await client.get('key');
  }, 30_000);

  test('of a worker that lets a server wait for a job goes on with the one that takes the place of a server that hangs', async () => {
    const client = await connected('worker');
    const answer = client.bzpopmin('key-of-jobs', 10);
    const { lost } = await cluster.freezeMasterOf('key-of-jobs');
    const other = await connected('write');
    await other.zadd('key-of-jobs', 1, 'job');
    const added = performance.now();
    expect(await answer).toEqual(['key-of-jobs', 'job', '1']);
    expect(performance.now() - added).toBeLessThan(3_000);
    lost.thaw();
    await cluster.whole();
  }, 30_000);

  test('does not carry out what it has given up: a node is not locked out by a lease that it asked for while nobody answered', async () => {
    const leases = await Promise.all(Array.from({ length: 8 }, async (_, index) => new RedisLease(await connected('lease'), `{leases}-${String(index)}`)));
    const failover = cluster.killMasterOf('{leases}');
    const answers = Promise.all(leases.map((lease) => firstAnswer(lease)));
    const { lost } = await failover;
    expect(await answers).toEqual(leases.map(() => true));
    await lost.restart();
    await cluster.whole();
  }, 30_000);

  async function firstAnswer(lease: RedisLease): Promise<boolean> {
    for (;;) {
      await delay(100);
      const held = await lease.acquire(20_000).catch(() => undefined);
      if (held !== undefined) return held;
    }
  }

  async function connected(role: RedisRole): Promise<RedisClient> {
    return untilReady(connect({ cluster: cluster.section.cluster }, role));
  }
});

/** How long commands took at most until one was answered after failures, ms, and how long it took until then. */
async function timesUntilItAnswers(client: RedisClient, limitMs: number): Promise<{ longestMs: number; backMs: number }> {
  const begun = performance.now();
  let longestMs = 0;
  for (let failures = 0; ; ) {
    const { ms, error } = await timed(() => client.get('key'));
    longestMs = Math.max(longestMs, ms);
    if (error) failures++;
    else if (failures > 0) return { longestMs, backMs: performance.now() - begun };
    if (performance.now() - begun > 20_000) throw new Error(`not answered within 20 s, each time ${limitMs} ms`);
    await delay(20);
  }
}
