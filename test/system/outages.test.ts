import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { masterOf, startNodes, startStores, type ClusterStores } from '../harness/cluster.ts';
import type { NodeProcess } from '../harness/node-process.ts';
import { startProvider, type Provider } from '../harness/provider/provider.ts';
import { startReaders, type ReadsReport } from '../harness/readers.ts';

const tokenSeconds = 10;
const owners = Array.from({ length: 30 }, (_, index) => `owner-${index}`);

let stores: ClusterStores;
let provider: Provider;
let nodes: NodeProcess[];

beforeAll(async () => {
  stores = await startStores();
  provider = await startProvider({ accessTokenSeconds: tokenSeconds });
  await add(owners.slice(0, 1));
  nodes = await startNodes(stores, { nodes: 3 });
  await add(owners.slice(1));
}, 60_000);

afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await Promise.all([stores.remove(), provider.stop()]);
}, 60_000);

/** One after the other over half a lifetime, so that they are not due at once. */
async function add(ids: readonly string[]): Promise<void> {
  for (const ownerId of ids) {
    await stores.addOwner({ ownerId, grants: [provider.createGrant({ owner: ownerId })] });
    await sleep((tokenSeconds * 500) / owners.length);
  }
}

/** Readers all along, and a store that is away in the middle. */
async function readsThrough(outage: () => Promise<void>): Promise<ReadsReport & { refreshes: number }> {
  const readers = startReaders({ urls: nodes.map((node) => node.appUrl), owners, ratePerSecond: 80, judge: provider.isLive.bind(provider) });
  const before = provider.account.refreshes;
  await sleep(1000);
  await outage();
  const refreshes = provider.account.refreshes - before;
  await sleep(3000);
  return { ...(await readers.stop()), refreshes };
}

const good = { failed: 0, expired: 0, revoked: 0, wrongOwner: 0, unknown: 0, failures: [] };

describe('While Redis is away for longer than a token lives', () => {
  it('reads are answered at once and refreshes go on', async () => {
    const report = await readsThrough(async () => {
      await stores.redis.stop();
      await sleep(1.2 * tokenSeconds * 1000);
      await stores.redis.restart();
    });
    expect(report).toMatchObject(good);
    expect(report.p99Ms).toBeLessThan(500);
    expect(report.refreshes).toBeGreaterThan(owners.length);
  }, 60_000);
});

describe('While Redis is frozen', () => {
  it('reads are answered and the master stays master', async () => {
    const before = await masterOf(nodes);
    const report = await readsThrough(async () => {
      stores.redis.freeze();
      await sleep(6000);
      stores.redis.thaw();
    });
    expect(report).toMatchObject(good);
    expect(report.refreshes).toBeGreaterThan(5);
    await expect.poll(async () => (await masterOf(nodes))?.pid, { timeout: 5000 }).toBe(before?.pid);
  }, 60_000);
});

describe('While MySQL is frozen for a moment', () => {
  it('reads are answered, and no refresh token is sent twice by what it carries out late', async () => {
    const report = await readsThrough(async () => {
      stores.mariaDb.freeze();
      await sleep(2500);
      stores.mariaDb.thaw();
      await sleep(5000);
    });
    expect(report).toMatchObject(good);
    expect(provider.account).toMatchObject({ presentedTwice: 0, grantsRevoked: 0 });
  }, 60_000);
});

describe('When the master is stopped in order (SIGTERM)', () => {
  it('another takes over at once, no read fails, and nothing is left in doubt', async () => {
    const master = await masterOf(nodes);
    let tookMs = Infinity;
    const report = await readsThrough(async () => {
      const begun = performance.now();
      const stopped = master?.stop();
      await expect.poll(async () => (await masterOf(nodes.filter((node) => node !== master)))?.pid, { timeout: 5000, interval: 20 }).toBeDefined();
      tookMs = performance.now() - begun;
      expect(await stopped).toBe(0);
      await sleep(2000);
    });
    expect(report).toMatchObject(good);
    expect(tookMs).toBeLessThan(2500);
    expect(await stores.query("SELECT tokendid FROM tsttoken WHERE isvalid = 1 AND state = 'in_doubt'")).toEqual([]);
  }, 60_000);
});
