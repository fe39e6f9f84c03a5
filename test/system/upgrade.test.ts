import { randomBytes } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { masterOf } from '../harness/cluster.ts';
import { runDocumented } from '../docs/commands.ts';
import { documentedSql } from '../docs/sql-blocks.ts';
import { refresh, tokenOf } from './caller.ts';
import { JavaMaster } from './java-master.ts';
import { soon, useScene } from './scene.ts';
import type { OwnerOnScene } from './scene.ts';
import { leadMs, UpgradeGround } from './upgrade-ground.ts';

const follower = { isMaster: false, tokenReadretrAfter: 1000, tokenReadretrAttempts: 60 };
/** Its tokens fall due within a second or two of one another, every 12 s. */
const quietSeconds = 6;

describe('the upgrade by docs/upgrade.md, with callers at work', () => {
  const ground = new UpgradeGround();
  beforeAll(() => ground.start());
  afterAll(() => ground.stop());

  async function lastStop(): Promise<void> {
    await ground.untilQuietFor(quietSeconds);
    await ground.java.end();
  }

  async function refreshed(): Promise<void> {
    const { answered, newest } = await ground.refreshAll();
    expect(answered).toEqual(newest);
  }

  test('migrates the tables under the old service, which goes on refreshing', async () => {
    await ground.untilRefreshed();
    await ground.migrate();
    await ground.untilRefreshed();
    await ground.untilStored();
  }, 60_000);

  test('has new nodes answer what the old service answers, and what it refreshes from then on', async () => {
    for (let number = 0; number < 2; number++) await ground.startNode(follower);
    const { owners, provider, nodes, balancer, java } = ground;
    for (const { id, grants } of owners) {
      const newest = (): string[] => grants.map(({ grantId }) => provider.newest(grantId)!.accessToken);
      for (const node of nodes) await expect.poll(async () => newest().includes((await tokenOf(node, id)).body), soon).toBe(true);
    }
    for (const node of nodes) await balancer.add(node);
    balancer.remove(java);
    await ground.untilRefreshed();
    expect(await masterOf(nodes)).toBeUndefined();
  }, 60_000);

  test('stops the old service when its documented query says that nothing is under way, and then finds no token in doubt', async () => {
    await lastStop();
    expect(await ground.ask('Tokens that the old service may have been refreshing', { lead: leadMs, clocks: 0 })).toEqual([]);
    expect(await ground.ask('Slots without a valid row')).toEqual([expect.objectContaining({ ownerid: 'gateway 0', tokendid: 20_100 })]);
  }, 60_000);

  test('has the new nodes refresh when they are restarted as masters', async () => {
    await ground.restartNodes({});
    await refreshed();
  }, 60_000);

  test('can go back to the old service, and forward again', async () => {
    await ground.restartNodes(follower);
    await vi.waitUntil(async () => (await ground.ask<{ under_way: number }>('Refreshes under way')).every(({ under_way: count }) => Number(count) === 0), soon);
    expect(await ground.ask('Rows that the old service would refresh')).toMatchObject({ affectedRows: 0 });
    const { dataFolder: cwd, url: REDIS_URL } = ground.stores.redis;
    await runDocumented('upgrade.md', 'redis-cli', { cwd, env: { REDIS_URL } });
    await ground.startJava();
    await ground.untilRefreshed();
    await ground.untilStored();
    await lastStop();
    await ground.restartNodes({});
    await refreshed();
  }, 60_000);

  test('seals at the end', async () => {
    await ground.restartNodes({ sealing: { keys: [{ id: '1', key: randomBytes(32).toString('base64') }] } });
    const clear = "SELECT COUNT(*) AS n FROM tsttoken WHERE isvalid = 1 AND CONCAT_WS(' ', tokenauth, accesstoken, refreshtoken) NOT LIKE 'sealed:%sealed:%sealed:%'";
    await expect.poll(async () => Number((await ground.stores.query<{ n: number }>(clear))[0]!.n), soon).toBe(0);
    await refreshed();
    for (const { affectedRows } of [await ground.ask("The old service's history"), await ground.ask("The old service's history")] as unknown as { affectedRows: number }[]) expect(affectedRows).toBe(5000);
  }, 60_000);

  test('failed no read, and gave no caller a token that its provider does not honour', async () => {
    const report = await ground.readers.stop();
    expect(report).toMatchObject({ failed: 0, failures: [] });
    expect(report.reads).toBeGreaterThan(1000);
    expect(ground.balancer.report).toMatchObject({ unanswered: 0 });
  });

  test('had new nodes know within two seconds what the old service had stored', () => {
    expect(ground.longestBehindMs).toBeLessThan(2000);
  });

  test('presented no refresh token twice', () => {
    const { presentations, ...account } = ground.provider.account;
    expect(account).toMatchObject({ presentedTwice: 0, presentedAgain: 0, grantsRevoked: 0, clientFailures: 0 });
    expect(presentations.filter(({ outcome }) => outcome !== 'refreshed')).toEqual([]);
  });
});

/** Tokens that say they are so old, s, are asked for by the old service after 2 s, and overdue for a new master one second later. */
const ageSeconds = 12;
const javaLeadMs = 16_000;

describe('an old service that ended while a provider was refreshing', () => {
  const scene = useScene({
    provider: { accessTokenSeconds: 30 },
    nodes: [follower],
    prepare: async (on) => {
      asked = await on.addOwner({ ownerId: 'asked' });
      other = await on.addOwner({ ownerId: 'other' });
      await on.stores.query('UPDATE tsttoken SET createdtime = createdtime - INTERVAL ? SECOND', [ageSeconds]);
    },
  });
  let asked: OwnerOnScene;
  let other: OwnerOnScene;
  let doubtful: { ownerid: string; tokendid: number; lives_for_s: number }[];

  beforeAll(async () => {
    scene.provider.always({ kind: 'hang' }, { grantId: asked.grant.grantId });
    const java = new JavaMaster(scene.stores.mariaDb, 'token_service', javaLeadMs);
    await java.start();
    await vi.waitUntil(() => scene.provider.account.presentations.length === 2 && java.savedAt.size === 1, { timeout: 20_000, interval: 20 });
    await java.end();
    scene.provider.clear();
    await scene.stores.withConnection(async (connection) => {
      const look = documentedSql('upgrade.md', 'Tokens that the old service may have been refreshing', { lead: javaLeadMs, clocks: 1000 });
      for (const sql of look) doubtful = (await connection.query(sql))[0] as unknown as typeof doubtful;
      for (const sql of documentedSql('upgrade.md', 'Keeps one row from being refreshed', { token: doubtful[0]!.tokendid })) await connection.query(sql);
    });
    await scene.startNode({ refreshWakeUpLeadTime: javaLeadMs });
    await scene.master();
  });

  test('is seen by the documented query, with the time that is left for a new grant', () => {
    expect(doubtful).toMatchObject([{ ownerid: 'asked' }]);
    expect(Number(doubtful[0]!.lives_for_s)).toBeGreaterThan(0);
  });

  test('leaves a token that the new master does not refresh, and callers get to its end', async () => {
    const due = await refresh(scene.nodes[0]!, other.id, scene.provider.newest(other.grant.grantId)!.accessToken);
    expect(due).toMatchObject({ status: 200, body: scene.provider.newest(other.grant.grantId)!.accessToken });
    const answer = await tokenOf(scene.nodes[0]!, asked.id);
    expect(answer).toMatchObject({ status: 200, body: asked.grant.accessToken });
    expect(scene.provider.isLive(answer.body)).toMatchObject({ expired: false, revoked: false });
    expect(scene.provider.account.presentations.filter(({ grantId }) => grantId === asked.grant.grantId)).toHaveLength(1);
  });

  test('is made good by a new grant', async () => {
    const grant = scene.provider.createGrant({ owner: asked.id });
    await scene.stores.addToken(asked.did, grant);
    const served = async (): Promise<string> => (await tokenOf(scene.nodes[0]!, asked.id)).body;
    await expect.poll(async () => scene.provider.isLive(await served()).grantId, soon).toBe(grant.grantId);
    expect(scene.provider.account).toMatchObject({ presentedTwice: 0, presentedAgain: 0, grantsRevoked: 0 });
  });
});
