import { beforeAll, describe, expect, it } from 'vitest';

import type { NodeProcess } from '../harness/node-process.ts';
import type { Answer } from './caller.ts';
import { call, refresh, restart, tokenOf } from './caller.ts';
import { soon, useScene } from './scene.ts';
import type { OwnerOnScene } from './scene.ts';

/** Longer than a node waits for a master to carry out what it was asked. */
const untilNobodyCame = 30_000;

const scene = useScene({
  nodes: [{ isMaster: false, tokenReadretrAfter: 300, tokenReadretrAttempts: 100 }],
  config: { waitingTimeForToken: 200, retryAttempt: 100 },
  prepare: async (on) => {
    owner = await on.addOwner({ ownerId: 'somebody' });
    due = await on.addOwner({ ownerId: 'due', row: { expiresInMs: 3000 } });
  },
});
let owner: OwnerOnScene;
let due: OwnerOnScene;
let follower: NodeProcess;
let alone: Promise<Answer[]>;

beforeAll(() => {
  follower = scene.nodes[0]!;
  alone = Promise.all([refresh(follower, owner.id, owner.grant.accessToken), restart(follower, owner.id)]);
});

async function roleOf(node: NodeProcess): Promise<string> {
  return (JSON.parse((await call('GET', `${node.adminUrl}/cluster`)).body) as { role: string }).role;
}

async function terms(): Promise<number | undefined> {
  return (await scene.stores.query<{ epoch: number }>('SELECT epoch FROM tstepoch'))[0]?.epoch;
}

describe('a node with isMaster: false, alone', () => {
  it('is ready, and serves what the database holds', async () => {
    expect(await tokenOf(follower, owner.id)).toMatchObject({ status: 200, body: owner.grant.accessToken });
    expect((await call('GET', `${follower.adminUrl}/ready`)).status).toBe(200);
  });

  it('finds a token that is inserted while a caller waits for it', async () => {
    const late = await scene.addOwner({ ownerId: 'late', row: { expiresInMs: 1 } });
    const waiting = tokenOf(follower, late.id);
    const fresh = scene.provider.createGrant({ owner: late.id });
    await scene.stores.addToken(late.did, fresh);
    expect(await waiting).toMatchObject({ status: 200, body: fresh.accessToken });
  });

  it('never leads and never refreshes, though a token is due and nobody else is there', async () => {
    await expect.poll(async () => (await scene.stores.query<{ expired: number }>('SELECT createdtime + INTERVAL tokenvalidity * 1000 MICROSECOND < NOW() AS expired FROM tsttoken WHERE tsxwhodid = ?', [due.did]))[0]?.expired, soon).toBe(1);
    expect({ role: await roleOf(follower), terms: await terms(), asked: scene.provider.account.presentations }).toEqual({ role: 'read-only follower', terms: 0, asked: [] });
  });

  it('answers TPS0012 to what only a master can do', async () => {
    for (const answer of await alone) expect(answer).toMatchObject({ status: 400, body: 'TPS0012:Only master node allowed to refresh the token' });
    expect(scene.provider.account.presentations).toEqual([]);
  }, untilNobodyCame);
});

describe('a node with isMaster: false, beside a master', () => {
  beforeAll(async () => {
    await scene.startNode();
    await scene.master();
  });

  it('has the master do what it is asked', async () => {
    expect(await restart(follower, owner.id)).toMatchObject({ status: 200, body: 'Token pool restartd for :somebody' });
    const answer = await refresh(follower, owner.id, owner.grant.accessToken);
    expect(answer).toMatchObject({ status: 200, body: scene.provider.newest(owner.grant.grantId)!.accessToken });
    await expect.poll(async () => (await tokenOf(follower, owner.id)).body, soon).toBe(answer.body);
    await expect.poll(async () => (await tokenOf(follower, due.id)).body, soon).toBe(scene.provider.newest(due.grant.grantId)!.accessToken);
  });

  it('does not follow it into office', async () => {
    await (await scene.master()).stop();
    const before = await terms();
    const another = await scene.startNode();
    expect(await scene.master()).toBe(another);
    expect(await roleOf(follower)).toBe('read-only follower');
    expect(await terms()).toBe(before! + 1);
  });

  it('works with a database user that may only read', async () => {
    await scene.stores.query("CREATE USER 'reader'@'%' IDENTIFIED BY 'only-reads'");
    await scene.stores.query("GRANT SELECT ON token_service.* TO 'reader'@'%'");
    const reader = await scene.startNode({ isMaster: false, database: { user: 'reader', password: 'only-reads' } });
    expect((await tokenOf(reader, owner.id)).body).toBe(scene.provider.newest(owner.grant.grantId)!.accessToken);
  });
});
