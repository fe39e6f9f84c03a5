import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { haproxy, startHaproxy, withoutHaproxy } from '../harness/haproxy.ts';
import type { Haproxy } from '../harness/haproxy.ts';
import { BalancedLoad, describeLoad } from './balanced-load.ts';
import { call } from './caller.ts';
import { soon, useScene } from './scene.ts';

const owners = Array.from({ length: 30 }, (_, index) => `owner-${index}`);
const changed = ['changed-1', 'changed-2', 'changed-3', 'changed-4'];
const started = { timeout: 30_000, interval: 5 };
/** What HAProxy needs to find a silent node down: it looks every second, and three times in a row waits a second in vain. */
const findsSilenceMs = 1000 + 3 * 1000 + 2 * 250;
const busyMs = 3000;
/** What callers see of a PUT that was under way at a node that died: on a connection that they kept, its end. */
const untold = ['502', 'ECONNRESET'];

describe.skipIf(haproxy === undefined)(`HAProxy with deploy/haproxy/haproxy.cfg in front of three nodes${withoutHaproxy}`, () => {
  const scene = useScene({
    nodes: [{}, {}, {}],
    provider: { accessTokenSeconds: 40 },
    // The delay is the default: what is shown is what people run.
    config: { http: { shutdownDelay: 5000, shutdownGrace: 2000 }, refreshWakeUpLeadTime: 15_000, refresh: { jitter: 0.3 } },
    prepare: async (on) => {
      for (const [index, ownerId] of owners.entries()) await on.addOwner({ ownerId, row: { expiresInMs: 28_000 + index * 400 } });
      for (const ownerId of changed) await on.addOwner({ ownerId });
      for (const ownerId of ['never', 'without']) without = (await on.addOwner({ ownerId, row: { expiresInMs: 1, refreshToken: '' } })).did;
    },
  });
  let balancer: Haproxy;
  let without: number;

  beforeAll(async () => {
    balancer = await startHaproxy({ nodes: scene.nodes });
  });
  afterAll(() => balancer.remove());

  async function load(): Promise<BalancedLoad> {
    const callers = new BalancedLoad({ url: balancer.url, owners, changed, provider: scene.provider });
    await vi.waitUntil(() => callers.changes.requests > 10, started);
    return callers;
  }

  async function startAgain(index: number): Promise<void> {
    scene.nodes[index] = await scene.nodes[index]!.again();
    await balancer.waitForReady(3);
  }

  async function waitingCallers(): Promise<number> {
    const texts = await Promise.all(scene.nodes.map(async ({ adminUrl }) => (await fetch(`${adminUrl}/metrics`)).text()));
    return texts.reduce((sum, text) => sum + Number(/^tokenpool_waiting_callers (\d+)$/m.exec(text)?.[1]), 0);
  }

  function expectNoTokenLost(): void {
    expect(scene.provider.account).toMatchObject({ presentedTwice: 0, presentedAgain: 0, grantsRevoked: 0 });
  }

  test('all nodes are restarted one after the other: no request fails, and none is sent a second time but that of a caller who waits for a token all the while', async () => {
    const waiting = fetch(`${balancer.url}/tokenservice/without`).then((answer) => answer.text(), String);
    const callers = await load();
    for (const [index, node] of scene.nodes.entries()) {
      const name = `node-${index + 1}`;
      const ended = node.stop(60_000);
      await expect.poll(() => balancer.stateOf(name), soon).toBe('NOLB');
      expect(node.isRunning).toBe(true);
      expect(await ended).toBe(0);
      const { answers } = await balancer.server('reads', name);
      await startAgain(index);
      await expect.poll(async () => (await balancer.server('reads', name)).answers, soon).toBeGreaterThan(answers + 20);
    }
    const figures = await callers.stop();
    say('All nodes restarted', describeLoad(figures));
    expect(figures).toMatchObject({ kept: { failures: [] }, fresh: { failures: [] }, changes: { failures: [] } });
    expect(figures.kept.requests + figures.fresh.requests).toBeGreaterThan(1500);
    expect(figures.changes.requests).toBeGreaterThan(50);
    for (const { backend, answers } of await balancer.servers()) expect(answers).toBeGreaterThan(backend === 'reads' ? 300 : 10);
    expectNoTokenLost();

    const grant = scene.provider.createGrant({ owner: 'without' });
    await scene.stores.addToken(without, grant);
    expect(await waiting).toBe(grant.accessToken);
    expect((await balancer.requests()).filter(({ retries }) => retries !== '0')).toMatchObject([{ route: 'GET /tokenservice/{owner}', status: 200, retries: expect.stringMatching(/^\+[123]$/) as string }]);
  }, 90_000);

  test('a node that is killed costs no GET; a PUT that was under way there is sent to no other, and its caller is told that it failed; one that another node had handed to it is done', async () => {
    const callers = await load();
    const index = scene.nodes.indexOf(await scene.master());
    const name = `node-${index + 1}`;
    scene.provider.always({ kind: 'hang' });
    const underWay = async (): Promise<number> => (await balancer.servers()).reduce((sum, server) => sum + (server.backend === 'changes' ? server.underWay : 0), 0);
    await expect.poll(underWay, soon).toBe(changed.length);
    const cut = (await balancer.server('changes', name)).underWay;
    const killed = scene.nodes[index]!.kill();
    // Now, while its courier waits for the answers.
    scene.provider.clear();
    await killed;
    await expect.poll(() => balancer.stateOf(name), soon).toBe('DOWN');
    const seen = callers.fresh.requests;
    await vi.waitUntil(() => callers.fresh.requests > seen + 100, soon);
    await startAgain(index);
    const figures = await callers.stop();
    say('The master killed', `${describeLoad(figures)} (${figures.changes.failures.join(', ')})`);
    expect(figures).toMatchObject({ kept: { failures: [] }, fresh: { failures: [] } });
    expect(cut).toBeGreaterThan(0);
    expect(figures.changes.failures.filter((failure) => untold.includes(failure)).length).toBe(cut);
    expect(figures.changes.failures.filter((failure) => !untold.includes(failure))).toEqual([]);
    const { retries, redispatches } = await balancer.server('reads', name);
    expect(retries + redispatches).toBeGreaterThan(0);
    expectNoTokenLost();
  }, 90_000);

  test('a node that falls silent gets nothing new, and when it is killed at last those who were waiting for it are answered by others', async () => {
    const callers = await load();
    const index = scene.nodes.indexOf(await scene.follower());
    const name = `node-${index + 1}`;
    const silentSince = performance.now();
    scene.nodes[index]!.pause();
    await expect.poll(() => balancer.stateOf(name), soon).toBe('DOWN');
    expect(performance.now() - silentSince).toBeLessThan(findsSilenceMs + busyMs);
    for (let asked = 0; asked < 50; asked++) {
      const { status, tookMs } = await call('GET', `${balancer.url}/tokenservice/${owners[asked % owners.length]!}`);
      expect(status).toBe(200);
      expect(tookMs).toBeLessThan(busyMs);
    }
    const { underWay } = await balancer.server('reads', name);
    expect(underWay).toBeGreaterThan(0);
    await scene.nodes[index]!.kill();
    const figures = await callers.stop();
    say('A node silent, then killed', `${describeLoad(figures)} (${figures.changes.failures.join(', ')})`);
    expect(figures).toMatchObject({ kept: { failures: [] }, fresh: { failures: [] } });
    for (const failure of figures.changes.failures) expect(untold).toContain(failure);
    expectNoTokenLost();
    await startAgain(index);
  }, 60_000);

  test('a caller who hangs up waits at no node any more', async () => {
    const caller = new AbortController();
    const waiting = fetch(`${balancer.url}/tokenservice/never`, { signal: caller.signal }).catch(() => undefined);
    await expect.poll(waitingCallers, soon).toBe(1);
    caller.abort();
    await waiting;
    await expect.poll(waitingCallers, soon).toBe(0);
  });

  test('an address with a token of 30 KB reaches a node', async () => {
    const { status, body } = await call('PUT', `${balancer.url}/tokenservice/refresh/${owners[0]!}/${'x'.repeat(30_000)}`);
    expect([status, body.slice(0, 7)]).toEqual([400, 'TPS0010']);
  });

  test.each(['/metrics', '/cluster', '/healthcheck', '/ready', '/live'])('%s of the admin port is not to be had', async (path) => {
    expect((await call('GET', balancer.url + path)).status).toBe(404);
  });

  test('the log has a line for each request, and in it nothing that a caller wrote or got', async () => {
    await call('PUT', `${balancer.url}/tokenservice/refresh/owner-0/secret-in-its-place`);
    await call('GET', `${balancer.url}/tokenservice/secret-as-an-owner?or=secret-in-the-query`);
    await call('GET', `${balancer.url}/secret-without-a-place`);
    await expect.poll(async () => (await balancer.requests()).at(-1)?.route, soon).toBe('other');
    const [log, requests] = [await balancer.log(), await balancer.requests()];
    expect(requests.slice(-3).map(({ route, status }) => [route, status])).toEqual([['PUT /tokenservice/refresh/{owner}/{token}', 400], ['GET /tokenservice/{owner}', 400], ['other', 404]]);
    const tokens = await scene.stores.query<{ accesstoken: string }>('SELECT accesstoken FROM tsttoken WHERE accesstoken IS NOT NULL');
    expect(tokens.length).toBeGreaterThan(100);
    expect(tokens.filter(({ accesstoken }) => log.includes(accesstoken)).length).toBe(0);
    expect(log).not.toMatch(/secret|owner-|at_\d/);
    expect(requests.length).toBeGreaterThan(1000);
  });
});

function say(what: string, figures: string): void {
  process.stdout.write(`${what}: ${figures}\n`);
}
