import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { startBalancer } from '../harness/balancer.ts';
import type { Balancer } from '../harness/balancer.ts';
import { masterOf } from '../harness/cluster.ts';
import type { NodeProcess } from '../harness/node-process.ts';
import { startReaders } from '../harness/readers.ts';
import type { Readers } from '../harness/readers.ts';
import { soon, useScene } from './scene.ts';
import type { OwnerOnScene } from './scene.ts';
import { stopUnderLoad } from './stop-under-load.ts';
import type { OrderlyStop } from './stop-under-load.ts';

const shutdownDelay = 1500;
const leaseTime = 2000;
const answerMs = 1500;
/** Longest stop: the delay, a refresh, and what a busy machine makes of it. */
const bound = shutdownDelay + answerMs + 7000;
const commandsOfAStop = 6;
const stops = 5;

const owners: OwnerOnScene[] = [];
const commanded: OwnerOnScene[] = [];
const scene = useScene({
  nodes: [{}, {}, {}],
  provider: { accessTokenSeconds: 10 },
  config: { cluster: { leaseTime }, http: { shutdownDelay }, refreshWakeUpLeadTime: 4000, refresh: { jitter: 0.3 } },
  prepare: async (on) => {
    for (let index = 0; index < 40; index++) owners.push(await on.addOwner({ ownerId: `owner ${index}`, row: { expiresInMs: 5000 + index * 125 } }));
    for (let index = 0; index < stops * commandsOfAStop; index++) commanded.push(await on.addOwner({ ownerId: `commanded ${index}`, row: { expiresInMs: 3_600_000 } }));
    on.provider.always({ kind: 'slow', ms: answerMs });
  },
});
let balancer: Balancer;
let readers: Readers;

beforeAll(async () => {
  balancer = await startBalancer({ targets: [...scene.nodes], checkEveryMs: 100 });
  readers = startReaders({ urls: [balancer.url], owners: owners.map(({ id }) => id), ratePerSecond: 60, judge: scene.provider.isLive });
  await vi.waitUntil(() => scene.provider.account.refreshes > 20, { timeout: 20_000 });
});

afterAll(async () => {
  await readers.stop();
  await balancer.stop();
});

async function stop(node: NodeProcess): Promise<OrderlyStop> {
  return stopUnderLoad(scene, node, { owners: owners.map(({ id }) => id), commanded: commanded.splice(0, commandsOfAStop), answerMs });
}

/** A new process in the place of the one that ended. */
async function startAgain(ended: NodeProcess): Promise<void> {
  const next = await ended.again();
  scene.nodes[scene.nodes.indexOf(ended)] = next;
  await next.waitReady();
  await balancer.waitForHealthy(3);
}

function expectOrderly(end: OrderlyStop): void {
  expect(end).toMatchObject({ code: 0, reason: 'not ready: the service is stopping', commands: [200, 200, 200, 200, 200, 200], courierLeft: false });
  expect(end.reads).toMatchObject({ failed: 0, failures: [] });
  expect(end.reads.reads).toBeGreaterThan(20);
  expect(end.notReadyMs).toBeLessThan(1000);
  expect(end.closedMs).toBeGreaterThanOrEqual(shutdownDelay - 20);
  expect(end.closedMs).toBeGreaterThan(end.notReadyMs);
  expect(end.endedMs).toBeLessThan(bound);
}

/** When a node became master, epoch ms, by its log. */
function mastershipsOf(node: NodeProcess): number[] {
  return [...node.output().matchAll(/"time":"([^"]+)"[^\n]*"This node is master"/g)].map(([, time]) => Date.parse(time!));
}

describe('SIGTERM under load', () => {
  test('to the master hands the lease over at once, and lets every refresh and every request under way come to its end', async () => {
    const master = await scene.master();
    const at = Date.now();
    const end = await stop(master);
    expectOrderly(end);
    expect(end.underWay).toBeGreaterThan(0);
    const told = at + answerMs / 2;
    const next = Math.min(...scene.nodes.filter((node) => node !== master).flatMap(mastershipsOf).filter((time) => time > told));
    expect(next - told).toBeLessThan(leaseTime / 2);
    const [, afterwards = ''] = master.output().split('This node is no longer master');
    expect(afterwards).toContain('A token was refreshed');
    await startAgain(master);
  }, 60_000);

  test('to a follower costs nobody anything', async () => {
    const follower = await scene.follower();
    const master = await scene.master();
    expectOrderly(await stop(follower));
    expect(await masterOf(scene.nodes)).toBe(master);
    await startAgain(follower);
  }, 60_000);

  test('to one node after the other, as in an update, neither', async () => {
    for (const node of [...scene.nodes]) {
      expectOrderly(await stop(node));
      await startAgain(node);
    }
  }, 120_000);

  test('lost no read, and had none sent a second time', async () => {
    const report = await readers.stop();
    expect(report).toMatchObject({ failed: 0, failures: [] });
    expect(report.reads).toBeGreaterThan(500);
    expect(balancer.report).toMatchObject({ resent: 0, unanswered: 0 });
  });

  test('had no refresh token presented twice, left none in doubt, and lost no token', async () => {
    const { provider, stores } = scene;
    const inAttempt = (): Promise<unknown[]> => stores.query("SELECT tokendid, state FROM tsttoken WHERE isvalid = 1 AND state <> 'idle'");
    provider.clear();
    await expect.poll(inAttempt, { timeout: 15_000, interval: 5 }).toEqual([]);
    expect(provider.account).toMatchObject({ presentedTwice: 0, presentedAgain: 0, grantsRevoked: 0 });
    for (const { did, grant } of owners) {
      await expect.poll(async () => (await scene.validRows(did)).map(({ refreshtoken }) => refreshtoken), soon).toEqual([provider.newest(grant.grantId)!.refreshToken]);
    }
  }, 60_000);
});

test('a second signal ends the wait for balancers', async () => {
  const node = await scene.startNode({ http: { shutdownDelay: 300_000 } });
  const ended = node.stop(60_000);
  await expect.poll(() => node.isReady(), soon).toBe(false);
  await sleep(500);
  expect(node.isRunning).toBe(true);
  expect((await fetch(`${node.appUrl}/tokenservice/owner%200`)).status).toBe(200);
  const begun = performance.now();
  void node.stop();
  expect(await ended).toBe(0);
  expect(performance.now() - begun).toBeLessThan(bound);
}, 60_000);
