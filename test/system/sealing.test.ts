import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';

import { startNode } from '../harness/node-process.ts';
import { refresh, tokenOf } from './caller.ts';
import { contentOf } from './redis-content.ts';
import { soon, useScene } from './scene.ts';
import type { OwnerOnScene, TokenRow } from './scene.ts';

const client = { id: 'client-of-the-scene', secret: 'the-secret-of-the-client' };
const key = (): string => randomBytes(32).toString('base64');
const [first, second, third] = [{ id: 'first', key: key() }, { id: 'second', key: key() }, { id: 'third', key: key() }];

const scene = useScene({ provider: { clients: [client, { id: 'another-client', secret: 'the-secret-of-another' }] }, prepare: (on) => on.addOwner({ ownerId: 'somebody' }) });

/** Any token of the provider, a piece of one that is long enough to tell it, and what the client is known by. */
const inTheClear = new RegExp(`[ar]t_\\d+_\\d+_|${client.secret}|${Buffer.from(client.secret).toString('base64').slice(1, -3)}`);

async function restartedWith(sealing: object): Promise<void> {
  await scene.nodes.at(-1)!.stop();
  await scene.startNode({ sealing });
}

async function allSealedBy(keyId: string, { did }: OwnerOnScene): Promise<boolean> {
  return (await scene.validRows(did)).every((row) => secretsOf(row).every((value) => value?.startsWith(`sealed:v1:${keyId}:`)));
}

function secretsOf({ tokenauth, accesstoken, refreshtoken }: TokenRow): (string | null)[] {
  return [tokenauth, accesstoken, refreshtoken];
}

/** Refreshed by the only node: its pool, journal and jobs have all seen the tokens. */
async function refreshed(owner: OwnerOnScene): Promise<string> {
  const node = scene.nodes.at(-1)!;
  await scene.master();
  const answer = await refresh(node, owner.id, scene.provider.newest(owner.grant.grantId)!.accessToken);
  expect(answer).toMatchObject({ status: 200, body: scene.provider.newest(owner.grant.grantId)!.accessToken });
  return answer.body;
}

/** Whether callers get one of the tokens that its grants have come to. */
async function served({ id, grants }: OwnerOnScene): Promise<boolean> {
  const { body } = await tokenOf(scene.nodes.at(-1)!, id);
  return grants.some(({ grantId }) => scene.provider.newest(grantId)!.accessToken === body);
}

async function journals(): Promise<string> {
  const { dataFolder } = scene.stores.redis;
  const folders = (await readdir(dataFolder)).filter((name) => name.startsWith('journal-'));
  const files = await Promise.all(folders.map(async (folder) => (await readdir(join(dataFolder, folder))).map((name) => join(dataFolder, folder, name))));
  return (await Promise.all(files.flat().map((file) => readFile(file, 'utf8')))).join('\n');
}

const owners = {} as Record<'before' | 'long before' | 'later' | 'half', OwnerOnScene>;

describe('without a key', () => {
  it('no token and no secret stands in Redis or in the journals in the clear all the same', async () => {
    owners.before = await scene.addOwner({ ownerId: 'before' });
    owners.half = await scene.addOwner({ ownerId: 'half', clients: [0, 1] });
    owners['long before'] = await scene.addOwner({ ownerId: 'long before' });
    for (const owner of Object.values(owners)) await refreshed(owner);
    expect(await contentOf(scene.stores.redis.url)).toMatch(/sealed:v1:cluster:/);
    expect(await contentOf(scene.stores.redis.url)).not.toMatch(inTheClear);
    expect(await journals()).toMatch(/"phase":"granted"/);
    expect(await journals()).not.toMatch(inTheClear);
  });

  it('the log warns that they do in the database', async () => {
    expect(scene.output()).toContain('NO SEALING KEY');
    expect(secretsOf((await scene.validRows(owners.before.did))[0]!).join()).toMatch(inTheClear);
  });
});

describe('with a key', () => {
  it('what stands in the clear is sealed, in rows that were there and in rows that come, and is served', async () => {
    await restartedWith({ keys: [first] });
    owners.later = await scene.addOwner({ ownerId: 'later' });
    for (const owner of Object.values(owners)) {
      await expect.poll(() => allSealedBy('first', owner), soon).toBe(true);
      expect(await served(owner)).toBe(true);
    }
  });

  it('no token that lives stands anywhere in the clear', async () => {
    for (const owner of Object.values(owners)) await refreshed(owner);
    const stored = (await scene.tokenRows(owners.later.did)).flatMap(secretsOf).join('\n');
    const [{ value: clusterKey } = { value: '' }] = await scene.stores.query<{ value: string }>('SELECT value FROM tstkey');
    expect(clusterKey).toMatch(/^sealed:v1:first:/);
    for (const place of [stored, await contentOf(scene.stores.redis.url), await journals()]) expect(place).not.toMatch(inTheClear);
  });
});

describe('with a second key that writes', () => {
  it('both read, and what the first one sealed is sealed anew', async () => {
    await restartedWith({ keys: [first, second], activeKey: 'second' });
    for (const owner of Object.values(owners)) {
      expect(await served(owner)).toBe(true);
      await expect.poll(() => allSealedBy('second', owner), soon).toBe(true);
    }
    await refreshed(owners.before);
    expect(await allSealedBy('second', owners.before)).toBe(true);
  });

  it('the first one can then be taken away', async () => {
    await restartedWith({ keys: [second] });
    for (const owner of Object.values(owners)) expect(await served(owner)).toBe(true);
    await refreshed(owners.later);
    expect(scene.nodes.at(-1)!.output()).not.toContain('cannot be read and is left out');
  });
});

describe('without the key of some rows', () => {
  it('they are left out with an ERROR that says what to do, and all others are served and refreshed', async () => {
    const seal = 'UPDATE tsttoken SET refreshtoken = REPLACE(refreshtoken, ":second:", ":lost:") WHERE tsxwhodid = ? AND isvalid = 1 ORDER BY tokendid DESC LIMIT 1';
    await scene.stores.query(seal, [owners.half.did]);
    await scene.stores.query(seal, [owners['long before'].did]);
    const redis = new Redis(scene.stores.redis.url);
    await redis.flushall();
    redis.disconnect();
    await restartedWith({ keys: [second] });
    const node = scene.nodes.at(-1)!;
    for (const owner of [owners.before, owners.later, owners.half]) expect(await served(owner)).toBe(true);
    await refreshed(owners.later);
    expect((await tokenOf(node, owners['long before'].id)).body).toBe('TPS0016:No token pool implementation initialized');
    expect(node.output()).toMatch(/"level":"ERROR".*the key \\"lost\\" is not in the key ring.*add its key to sealing\.keys/i);
    expect(node.output()).not.toContain('A part of the reconciliation did not end');
  });
});

describe('while a new key is rolled out too fast', () => {
  it('a node without it goes on with what it can read', async () => {
    const old = scene.nodes.at(-1)!;
    const left = await scene.startNode({ isMaster: false, sealing: { keys: [second] } });
    await old.stop();
    await scene.startNode({ sealing: { keys: [second, third], activeKey: 'third' } });
    await refreshed(owners.before);
    await expect.poll(() => left.output(), soon).toContain('the key \\"third\\" is not in the key ring');
    expect((await tokenOf(left, owners.later.id)).body).toBe(scene.provider.newest(owners.later.grant.grantId)!.accessToken);
    expect(await left.isReady()).toBe(true);
  });

  it('a node without it does not start, and says which key it lacks', async () => {
    const node = await startNode({ config: scene.configOf(9, { sealing: { keys: [second] } }) });
    expect(await node.exited).toMatchObject({ code: 1 });
    expect(node.output()).toMatch(/^Unable to start the server\. .*the key "third" is not in the key ring/m);
  });
});
