import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Behaviour } from '../harness/provider/behaviour.ts';
import type { NodeProcess } from '../harness/node-process.ts';
import { startProvider } from '../harness/provider/provider.ts';
import type { Provider } from '../harness/provider/provider.ts';
import { startReaders } from '../harness/readers.ts';
import type { Readers } from '../harness/readers.ts';
import { tokenOf } from './caller.ts';
import { useScene } from './scene.ts';
import type { OwnerOnScene, TokenRow } from './scene.ts';

const tokenSeconds = 7;
/** Long enough for two refreshes, one after the other, on a busy machine. */
const twoRefreshes = { timeout: 20_000, interval: 100 };

/** How the provider answers the first refresh of an owner; it behaves at the second. */
const oddities: Readonly<Record<string, Behaviour>> = {
  'no refresh_token': { kind: 'omit', field: 'refresh_token' },
  'no expires_in': { kind: 'omit', field: 'expires_in' },
  'no token_type': { kind: 'omit', field: 'token_type' },
  'expires_in as text': { kind: 'expires-in', as: 'string' },
  'expires_in with a fraction': { kind: 'expires-in', as: 'float' },
  'a negative expires_in': { kind: 'expires-in', as: 'negative' },
  'a form instead of JSON': { kind: 'form-encoded' },
  'JSON under another name': { kind: 'content-type', value: 'text/html' },
  'tokens of 8 KB': { kind: 'long-tokens', length: 8192 },
  'the access token that was out already': { kind: 'same-access-token' },
  'an error under status 200': { kind: 'error-in-200', error: 'invalid_request' },
  'a slow trickle': { kind: 'trickle', ms: 600 },
};

const scene = useScene({ provider: { accessTokenSeconds: tokenSeconds, clients: [{ id: 'a', secret: 'secret-of-a' }, { id: 'b', secret: 'secret-of-b' }] }, nodes: [{}, {}] });
const owners = new Map<string, OwnerOnScene>();
let readers: Readers;
let users: Promise<Usage>;
let killing: Provider;

beforeAll(async () => {
  owners.set('plain', await scene.addOwner({ ownerId: 'plain' }));
  owners.set('two slots', await scene.addOwner({ ownerId: 'two slots', clients: [0, 1] }));
  for (const [name, behaviour] of Object.entries(oddities)) {
    const owner = await scene.addOwner({ ownerId: name, retryDelayMs: 100, row: { expiresInMs: (tokenSeconds - 1) * 1000 } });
    scene.provider.next(behaviour, { grantId: owner.grant.grantId });
    owners.set(name, owner);
  }
  readers = startReaders({ urls: scene.nodes.map(({ appUrl }) => appUrl), owners: [...owners.keys()], ratePerSecond: 150, waitMs: 3000, judge: scene.provider.isLive });
  killing = await startProvider({ accessTokenSeconds: 9, killsOldAccessToken: true, clients: [...scene.provider.clients] });
  const resetTimeMs = 400;
  const owner = await scene.addOwner({ ownerId: 'at a killing provider', clients: [0, 1], resetTimeMs }, killing);
  users = useThrough(owner, resetTimeMs * 0.75);
});
afterAll(() => killing.stop());

interface Usage {
  readonly refreshes: number;
  readonly uses: number;
  readonly bad: readonly string[];
}

/** Callers that hold what they got for `holdMs`, until the provider has ended three access tokens. */
async function useThrough(owner: OwnerOnScene, holdMs: number): Promise<Usage> {
  const uses: Promise<string>[] = [];
  const until = performance.now() + 30_000;
  for (let turn = 0; killing.account.refreshes < 3 && performance.now() < until; turn++) {
    uses.push(use(scene.nodes[turn % 2]!, owner, holdMs));
    await sleep(25);
  }
  const ends = await Promise.all(uses);
  return { refreshes: killing.account.refreshes, uses: uses.length, bad: ends.filter((end) => end !== 'good to its end') };
}

async function use(node: NodeProcess, owner: OwnerOnScene, holdMs: number): Promise<string> {
  const { status, body } = await tokenOf(node, owner.id);
  await sleep(holdMs);
  const { known, revoked } = killing.isLive(body);
  return status === 200 && known && !revoked ? 'good to its end' : `${status}${revoked ? ' and revoked' : ''}`;
}

/** The row of an owner that was refreshed once, once it has been refreshed twice. */
async function afterTwoRefreshes(name: string): Promise<TokenRow> {
  const owner = owners.get(name)!;
  await expect.poll(async () => (await scene.tokenRows(owner.did)).length, twoRefreshes).toBeGreaterThanOrEqual(3);
  return (await scene.tokenRows(owner.did))[1]!;
}

function presentations(owner: OwnerOnScene): string[] {
  return scene.provider.account.presentations.filter(({ grantId }) => owner.grants.some((grant) => grant.grantId === grantId)).map(({ outcome }) => outcome);
}

describe('a token', () => {
  it('is refreshed again and again before it expires, without being asked', async () => {
    await afterTwoRefreshes('plain');
    expect(new Set(presentations(owners.get('plain')!))).toEqual(new Set(['refreshed']));
  });

  it('is refreshed in each slot of an owner', async () => {
    const { did } = owners.get('two slots')!;
    await expect.poll(async () => (await scene.tokenRows(did)).length, twoRefreshes).toBeGreaterThanOrEqual(4);
    const valid = await scene.validRows(did);
    expect(new Set(valid.map(({ tokenauth }) => tokenauth)).size).toBe(2);
  });
});

describe('a provider that answers with', () => {
  it.each(['no token_type', 'expires_in as text', 'a form instead of JSON', 'JSON under another name', 'a slow trickle', 'expires_in with a fraction'])('%s is understood', async (name) => {
    const row = await afterTwoRefreshes(name);
    expect(row.tokenvalidity).toBe(name === 'expires_in with a fraction' ? tokenSeconds * 1000 + 500 : tokenSeconds * 1000);
    expect(new Set(presentations(owners.get(name)!))).toEqual(new Set(['refreshed']));
  });

  it('no refresh_token lets the one that was sent be used again', async () => {
    const { grant } = owners.get('no refresh_token')!;
    const row = await afterTwoRefreshes('no refresh_token');
    expect(row.refreshtoken).toBe(grant.refreshToken);
    expect(presentations(owners.get('no refresh_token')!).slice(0, 2)).toEqual(['refreshed', 'refreshed']);
  });

  it.each(['no expires_in', 'a negative expires_in'])('%s gives the new token the lifetime of the old one', async (name) => {
    expect((await afterTwoRefreshes(name)).tokenvalidity).toBe((tokenSeconds - 1) * 1000);
  });

  it('tokens of 8 KB has them stored, handed out and used whole', async () => {
    const row = await afterTwoRefreshes('tokens of 8 KB');
    expect([row.accesstoken?.length, row.refreshtoken?.length]).toEqual([8192, 8192]);
    expect(new Set(presentations(owners.get('tokens of 8 KB')!))).toEqual(new Set(['refreshed']));
  });

  it('the access token that was out already goes on with it', async () => {
    const { grant } = owners.get('the access token that was out already')!;
    expect((await afterTwoRefreshes('the access token that was out already')).accesstoken).toBe(grant.accessToken);
  });

  it('an error under status 200 is asked again', async () => {
    const owner = owners.get('an error under status 200')!;
    await afterTwoRefreshes('an error under status 200');
    expect(presentations(owner).slice(0, 2)).toEqual(['held off', 'refreshed']);
    expect(await scene.failures(owner.did)).toBe(0);
  });
});

describe('a row that an operator inserts while the service runs', () => {
  it('is served, and refreshed before it expires', async () => {
    const owner = await scene.addOwner({ ownerId: 'came later' });
    for (const node of scene.nodes) await expect.poll(async () => (await tokenOf(node, owner.id)).body, twoRefreshes).toBe(owner.grant.accessToken);
    await expect.poll(async () => (await scene.tokenRows(owner.did)).length, twoRefreshes).toBeGreaterThanOrEqual(2);
    expect(new Set(presentations(owner))).toEqual(new Set(['refreshed']));
  });

  it.each(['9223372036854775807', '-9223372036854775808', '0'])('with a lifetime of %s ms is served like any other', async (lifetime) => {
    const owner = await scene.addOwner({ ownerId: `lifetime ${lifetime}`, clients: [] });
    await scene.stores.query('UPDATE tsxwho SET tokenurl = ? WHERE tsxwhodid = ?', [scene.provider.tokenUrl, owner.did]);
    const { tokenAuth, accessToken, refreshToken } = scene.provider.createGrant({ owner: owner.id });
    const insert = `INSERT INTO tsttoken (tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken, isvalid) VALUES (?, ?, ${lifetime}, ?, ?, 1)`;
    await scene.stores.query(insert, [owner.did, tokenAuth, accessToken, refreshToken]);
    const { status, body } = await tokenOf(scene.nodes[0]!, owner.id);
    expect({ status, owner: scene.provider.isLive(body).owner }).toEqual({ status: 200, owner: owner.id });
    await expect.poll(async () => (await scene.stores.query<{ n: number }>('SELECT COUNT(dueat) AS n FROM tsttoken WHERE isvalid = 1 AND tsxwhodid = ?', [owner.did]))[0]?.n, twoRefreshes).toBe(1);
  });

  it('supersedes the older row of the same tokenauth', async () => {
    const owner = await scene.addOwner({ ownerId: 'replaced by hand', row: { expiresInMs: 3_600_000 } });
    const fresh = scene.provider.createGrant({ owner: owner.id });
    await expect.poll(async () => (await tokenOf(scene.nodes[0]!, owner.id)).body, twoRefreshes).toBe(owner.grant.accessToken);
    await scene.stores.addToken(owner.did, { ...fresh, expiresInMs: 60_000 });
    for (const node of scene.nodes) await expect.poll(async () => (await tokenOf(node, owner.id)).body, twoRefreshes).toBe(fresh.accessToken);
    await expect.poll(async () => (await scene.validRows(owner.did)).map(({ accesstoken }) => accesstoken), twoRefreshes).toEqual([fresh.accessToken]);
  });
});

it('a provider that ends the old access token at each refresh hurts no caller of an owner with two slots, not even one that goes on using what it got', async () => {
  const { refreshes, uses, bad } = await users;
  expect(refreshes).toBeGreaterThanOrEqual(3);
  expect(uses).toBeGreaterThan(100);
  expect(bad).toEqual([]);
}, 40_000);

it('no caller of any owner waited, failed, or got a token that was expired or not the owner\'s', async () => {
  const { reads, failed, failures, waits } = await readers.stop();
  expect({ failed, failures, waits }).toEqual({ failed: 0, failures: [], waits: 0 });
  expect(reads).toBeGreaterThan(500);
});
