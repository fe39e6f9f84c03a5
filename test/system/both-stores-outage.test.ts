import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { masterOf } from '../harness/cluster.ts';
import type { NodeProcess } from '../harness/node-process.ts';
import { outagesOf } from '../outages/catalogue.ts';
import { runOutage, type OutageFacts } from '../outages/outage.ts';
import { setStage, type Stage, type StagedOwner } from '../outages/stage.ts';
import { StartWithoutStores } from '../outages/start-without-stores.ts';
import { promisesOf, promisesOfStart, type Promised } from '../outages/verdict.ts';
import { refresh, tokenOf } from './caller.ts';

const tokenSeconds = 8;
const outageSeconds = 14;
const readsPerSecond = 60;

const stack = new AsyncDisposableStack();
let stage: Stage;
let facts: OutageFacts;
let promises: Promised[];

beforeAll(async () => {
  stage = await setStage({ owners: 16, nodes: 3, tokenSeconds, outlivedSeconds: outageSeconds }, stack);
  await sleep(tokenSeconds * 1000);
  const [outage] = outagesOf(stage, { redis: 0, mysql: 0, both: outageSeconds });
  const start = new StartWithoutStores(stage);
  facts = await runOutage(stage, { ...outage!, meanwhile: () => start.during(outageSeconds) }, { readsPerSecond, beforeSeconds: 1, afterSeconds: 4, tell: () => undefined });
  const briefSlots = stage.owners.filter(({ lasts }) => !lasts).flatMap(({ grants }) => grants).length;
  const bounds = { recoveredMs: 20_000, waitMs: stage.waitMs, leastReads: 400, briefSlots, tokenSeconds };
  promises = [...promisesOf(facts, 'both', bounds), ...promisesOfStart(await start.facts(facts.until), 20_000)];
}, 180_000);

afterAll(() => stack.disposeAsync(), 60_000);

describe(`While MySQL and Redis are away for ${outageSeconds} s, and a node is started meanwhile`, () => {
  it('every promise is kept: nodes serve what they hold until it expires, then say so, and all recovers by itself', () => {
    expect(promises.filter(({ kept }) => !kept)).toEqual([]);
  });

  it('tokens did expire, and callers of their owners were told that no store answers', () => {
    expect(facts.expired.length).toBeGreaterThan(3);
    expect(facts.reads.filter(({ why }) => why === 'TP0002').length).toBeGreaterThan(10);
  });
});

describe('What a node holds when MySQL goes away too, a while after Redis', () => {
  it('is the newest token of every owner, whether or not the node was asked for it since', async () => {
    const master = await masterNow();
    const others = stage.nodes.filter((node) => node !== master);
    const { owner, version } = await neitherNewNorDue();
    await stage.stores.redis.kill();
    const known = await Promise.all(others.map((node) => expiryOf(node, owner.id)));
    await expect.poll(async () => (await refresh(master, owner.id, version)).status, { timeout: 20_000, interval: 300 }).toBe(200);
    await Promise.all(others.map((node, index) => expect.poll(() => expiryOf(node, owner.id), { timeout: 30_000, interval: 200 }).toBeGreaterThan(known[index]! + 2000)));
    await stage.stores.mariaDb.kill();
    for (const node of others) expect((await tokenOf(node, owner.id)).body).toBe(stage.lasting.newest(owner.grants[0]!.grantId)?.accessToken);
  }, 60_000);
});

/** When the token of the owner expires by what the node knows, epoch ms, to a second or so. */
async function expiryOf({ adminUrl }: NodeProcess, ownerId: string): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const seconds = text.split('\n').find((line) => line.startsWith(`tokenpool_owner_expiry_seconds{owner="${ownerId}"}`))?.split(' ').at(-1);
  return Date.now() + Number(seconds) * 1000;
}

/** Whose new token will expire noticeably later than the one it has, and which nobody else refreshes meanwhile. */
async function neitherNewNorDue(): Promise<{ owner: StagedOwner; version: number }> {
  const sql = `SELECT w.ownerid AS id, t.tokendid AS version FROM tsttoken t JOIN tsxwho w USING (tsxwhodid)
    WHERE t.isvalid = 1 AND t.createdtime < NOW(3) - INTERVAL 5 SECOND AND t.dueat > (UNIX_TIMESTAMP(NOW(3)) + 15) * 1000`;
  return vi.waitUntil(async () => {
    const rows = await stage.stores.query<{ id: string; version: number }>(sql);
    const found = rows.flatMap(({ id, version }) => stage.owners.filter((owner) => owner.id === id && owner.lasts && owner.grants.length === 1).map((owner) => ({ owner, version })));
    return found[0];
  }, { timeout: 30_000, interval: 200 });
}

async function masterNow(): Promise<NodeProcess> {
  let master: NodeProcess | undefined;
  await expect.poll(async () => (master = await masterOf(stage.nodes)), { timeout: 20_000, interval: 50 }).toBeDefined();
  return master!;
}
