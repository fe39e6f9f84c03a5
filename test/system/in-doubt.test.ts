import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import type { NodeProcess } from '../harness/node-process.ts';
import type { Behaviour } from '../harness/provider/behaviour.ts';
import { startProvider } from '../harness/provider/provider.ts';
import type { Provider } from '../harness/provider/provider.ts';
import { refresh, tokenOf } from './caller.ts';
import { childrenOf } from './child-processes.ts';
import { soon, useScene } from './scene.ts';
import type { NewOwner, OwnerOnScene, TokenRow } from './scene.ts';

const retryDelayMs = 200;
const graceMs = 1500;
const requestTimeout = 2500;
/** A request that nobody stands behind counts as lost when its last deadline has long passed. */
const patient = { timeout: 30_000, interval: 100 };

const scene = useScene({ nodes: [{}, {}, {}], config: { database: { queryTimeout: 5000 }, waitingTimeForToken: 200, retryAttempt: 5, refresh: { requestTimeout, connectTimeout: 500 } } });
let nonRotating: Provider;
let lenient: Provider;
let ofTwoClients: Provider;
let orphaned: OwnerOnScene;
let orphanedNonRotating: OwnerOnScene;

beforeAll(async () => {
  nonRotating = await startProvider({ rotate: false });
  lenient = await startProvider({ graceMs });
  ofTwoClients = await startProvider({ clients: ['a', 'b'].map((id) => ({ id, secret: `secret of ${id}` })) });
  await killBoth();
}, 60_000);
afterAll(() => Promise.all([nonRotating.stop(), lenient.stop(), ofTwoClients.stop()]));

function ownerAt(provider: Provider, owner: NewOwner): Promise<OwnerOnScene> {
  return scene.addOwner({ retryDelayMs, mailTo: ['ops@example.com'], ...owner }, provider);
}

/** Has the refresh begun by the master, which never comes back with an answer to it. */
async function beginRefresh(provider: Provider, master: NodeProcess, owner: OwnerOnScene): Promise<void> {
  provider.next({ kind: 'hang' }, { grantId: owner.grant.grantId });
  refresh(master, owner.id, owner.grant.accessToken).catch(() => undefined);
  await vi.waitUntil(() => outcomes(provider, owner).length > 0, soon);
}

/** A master dies with its courier while two requests are on their way. */
async function killBoth(): Promise<void> {
  const master = await scene.master();
  orphaned = await ownerAt(scene.provider, { ownerId: 'orphaned' });
  orphanedNonRotating = await ownerAt(nonRotating, { ownerId: 'orphaned, not rotating', providerPolicy: 'non_rotating' });
  await beginRefresh(scene.provider, master, orphaned);
  await beginRefresh(nonRotating, master, orphanedNonRotating);
  const couriers = await childrenOf(master.pid);
  const ended = master.kill();
  for (const pid of couriers) process.kill(pid, 'SIGKILL');
  await ended;
}

function outcomes(provider: Provider, owner: OwnerOnScene): string[] {
  return provider.account.presentations.filter(({ grantId }) => grantId === owner.grant.grantId).map(({ outcome }) => outcome);
}

async function stateOf({ did }: OwnerOnScene): Promise<string | undefined> {
  return (await scene.validRows(did))[0]?.state;
}

async function holdsTheNewest(provider: Provider, { did, grant }: OwnerOnScene): Promise<boolean> {
  const valid = await scene.validRows(did);
  return valid.length === 1 && valid[0]!.accesstoken === provider.newest(grant.grantId)!.accessToken;
}

function mailTextOf({ id }: OwnerOnScene): string | undefined {
  return scene.smtp.mails.find(({ subject }) => subject === `[Token Generation Failed]- Error occurs while connecting to "${id}"`)?.text;
}

describe('at a provider that takes a second use for theft, an answer that is lost', () => {
  const losses: Readonly<Record<string, Behaviour>> = {
    'with the connection': { kind: 'lose-answer' },
    'in the middle of its body': { kind: 'cut-body' },
    'in broken JSON': { kind: 'garbage' },
    'in an empty body': { kind: 'empty' },
    'in a status 500 nobody listed': { kind: 'status', status: 500, afterCommit: true },
    'for want of an access token': { kind: 'omit', field: 'access_token' },
    'in too much text': { kind: 'oversized' },
  };
  const owners = new Map<string, OwnerOnScene>();
  beforeAll(async () => {
    for (const [name, behaviour] of Object.entries(losses)) {
      const owner = await ownerAt(scene.provider, { ownerId: `lost ${name}` });
      scene.provider.next(behaviour, { grantId: owner.grant.grantId });
      owners.set(name, owner);
    }
  });

  it.each(Object.keys(losses))('%s leaves the token in doubt: it is served on, and people are told', async (name) => {
    const owner = owners.get(name)!;
    const node = await scene.master();
    expect(await refresh(node, owner.id, owner.grant.accessToken)).toMatchObject({ status: 400, body: "TPS0025:Can't be connected to the server" });
    expect(await stateOf(owner)).toBe('in_doubt');
    expect((await tokenOf(node, owner.id)).body).toBe(owner.grant.accessToken);
    await expect.poll(() => mailTextOf(owner), soon).toMatch(/the refresh token is not presented again, because the provider would take that for theft\. Callers get the access token until it expires/);
  });

  it('is not asked for again, whatever a caller demands', async () => {
    const [owner] = [...owners.values()];
    expect(await refresh(await scene.follower(), owner!.id, owner!.grant.accessToken)).toMatchObject({ status: 400, body: 'TPS0020:Token Regeneration Failed' });
    for (const each of owners.values()) expect(outcomes(scene.provider, each)).toEqual(['refreshed']);
  });

  it('costs callers nothing until the token expires, and nothing but a wait from then on', async () => {
    const owner = await ownerAt(scene.provider, { ownerId: 'to the end', row: { expiresInMs: 4000 } });
    scene.provider.next({ kind: 'lose-answer' }, { grantId: owner.grant.grantId });
    await expect.poll(() => stateOf(owner), soon).toBe('in_doubt');
    expect((await tokenOf(await scene.follower(), owner.id)).body).toBe(owner.grant.accessToken);
    await expect.poll(async () => (await tokenOf(await scene.follower(), owner.id)).body, soon).toBe('TPS0005:NO pool entry for this Owner');
  });

  it('is forgotten when an operator inserts a new row', async () => {
    const owner = [...owners.values()][1]!;
    const fresh = scene.provider.createGrant({ owner: owner.id });
    await scene.stores.addToken(owner.did, fresh);
    await expect.poll(async () => (await tokenOf(await scene.follower(), owner.id)).body, soon).toBe(fresh.accessToken);
    expect(await refresh(await scene.follower(), owner.id, fresh.accessToken)).toMatchObject({ status: 200, body: scene.provider.newest(fresh.grantId)!.accessToken });
  });
});

describe('at a provider that does not rotate, an answer that is lost', () => {
  it('is asked for again', async () => {
    const owner = await ownerAt(nonRotating, { ownerId: 'asks again', providerPolicy: 'non_rotating' });
    nonRotating.next({ kind: 'lose-answer' }, { grantId: owner.grant.grantId });
    await refresh(await scene.master(), owner.id, owner.grant.accessToken);
    await expect.poll(() => outcomes(nonRotating, owner), soon).toEqual(['refreshed', 'refreshed']);
    await expect.poll(() => holdsTheNewest(nonRotating, owner), soon).toBe(true);
    await expect.poll(() => mailTextOf(owner), soon).toContain('so it is asked again');
  });
});

describe('at a provider with a window of grace, an answer that is lost', () => {
  it('is asked for again inside the window, and there is the same answer', async () => {
    const owner = await ownerAt(lenient, { ownerId: 'inside', providerPolicy: 'grace', graceMs });
    lenient.next({ kind: 'lose-answer' }, { grantId: owner.grant.grantId });
    await refresh(await scene.master(), owner.id, owner.grant.accessToken);
    await expect.poll(() => outcomes(lenient, owner), soon).toEqual(['refreshed', 'repeated in grace']);
    await expect.poll(() => holdsTheNewest(lenient, owner), soon).toBe(true);
  });

  it('is not taken for younger than the provider takes it: its lifetime counts from the first request', async () => {
    const generous = await startProvider({ graceMs: 20_000 });
    const owner = await ownerAt(generous, { ownerId: 'repeated late', providerPolicy: 'grace', graceMs: 10_000, retryDelayMs: 1300 });
    generous.next({ kind: 'lose-answer' }, { grantId: owner.grant.grantId });
    await refresh(await scene.master(), owner.id, owner.grant.accessToken);
    await expect.poll(() => holdsTheNewest(generous, owner), soon).toBe(true);
    const [row] = await scene.stores.query<{ expires: number }>('SELECT UNIX_TIMESTAMP(createdtime) * 1000 + tokenvalidity AS expires FROM tsttoken WHERE tsxwhodid = ? AND isvalid = 1', [owner.did]);
    expect(Number(row?.expires)).toBeLessThanOrEqual(generous.isLive(generous.newest(owner.grant.grantId)!.accessToken).expiresAt);
    await generous.stop();
  });

  it('is not asked for again once the window has closed', async () => {
    const owner = await ownerAt(lenient, { ownerId: 'outside', providerPolicy: 'grace', graceMs });
    lenient.next({ kind: 'hang' }, { grantId: owner.grant.grantId });
    await refresh(await scene.master(), owner.id, owner.grant.accessToken);
    expect(await stateOf(owner)).toBe('in_doubt');
    const later = await ownerAt(lenient, { ownerId: 'a while later', row: { expiresInMs: 2000 } });
    await expect.poll(() => outcomes(lenient, later), soon).toEqual(['refreshed']);
    expect({ outcomes: outcomes(lenient, owner), state: await stateOf(owner) }).toEqual({ outcomes: ['refreshed'], state: 'in_doubt' });
  });
});

describe('the death of a courier', () => {
  it('leaves in doubt what it had under way, and another one takes its place', async () => {
    const master = await scene.master();
    const [owner, next] = [await ownerAt(scene.provider, { ownerId: 'courier gone' }), await ownerAt(scene.provider, { ownerId: 'courier back' })];
    scene.provider.next({ kind: 'hang' }, { grantId: owner.grant.grantId });
    const asked = refresh(master, owner.id, owner.grant.accessToken);
    await expect.poll(() => outcomes(scene.provider, owner), soon).toEqual(['refreshed']);
    for (const pid of await childrenOf(master.pid)) process.kill(pid, 'SIGKILL');
    expect((await asked).body).toBe("TPS0025:Can't be connected to the server");
    expect(await stateOf(owner)).toBe('in_doubt');
    expect(await refresh(master, next.id, next.grant.accessToken)).toMatchObject({ status: 200, body: scene.provider.newest(next.grant.grantId)!.accessToken });
  });
});

describe('the death of a master', () => {
  it('with its courier leaves in doubt what was on its way, and the next master says so', async () => {
    await expect.poll(() => stateOf(orphaned), patient).toBe('in_doubt');
    await expect.poll(() => mailTextOf(orphaned), soon).toContain('the node that sent the request ended before its answer was recorded');
    expect((await tokenOf(await scene.master(), orphaned.id)).body).toBe(orphaned.grant.accessToken);
    expect(outcomes(scene.provider, orphaned)).toEqual(['refreshed']);
  }, 40_000);

  it('with its courier has the next master ask again where the provider does not mind', async () => {
    await expect.poll(() => outcomes(nonRotating, orphanedNonRotating), patient).toEqual(['refreshed', 'refreshed']);
    await expect.poll(async () => (await tokenOf(await scene.master(), orphanedNonRotating.id)).body, soon).toBe(nonRotating.newest(orphanedNonRotating.grant.grantId)!.accessToken);
  }, 40_000);

  it('alone loses nothing: its courier waits for the answer, and the next master records it', async () => {
    const master = await scene.master();
    const owner = await ownerAt(scene.provider, { ownerId: 'outlived' });
    await beginRefresh(scene.provider, master, owner);
    const ended = master.kill();
    await vi.waitUntil(() => !master.isRunning, soon);
    scene.provider.release();
    await expect.poll(() => holdsTheNewest(scene.provider, owner), soon).toBe(true);
    await ended;
    await expect.poll(async () => (await tokenOf(await scene.master(), owner.id)).body, soon).toBe(scene.provider.newest(owner.grant.grantId)!.accessToken);
    expect(outcomes(scene.provider, owner)).toEqual(['refreshed']);
  });
});

it('a master that dies alone as its request is refused leaves nothing in doubt: its courier keeps the word, and the next master tries again', async () => {
  await scene.startNode();
  const master = await scene.master();
  const owner = await ownerAt(scene.provider, { ownerId: 'refused' });
  scene.provider.next({ kind: 'hang', commits: false }, { grantId: owner.grant.grantId });
  refresh(master, owner.id, owner.grant.accessToken).catch(() => undefined);
  await vi.waitUntil(() => outcomes(scene.provider, owner).length > 0, soon);
  const ended = master.kill();
  await vi.waitUntil(() => !master.isRunning, soon);
  scene.provider.release();
  await expect.poll(() => outcomes(scene.provider, owner), soon).toEqual(['held off', 'refreshed']);
  await expect.poll(() => holdsTheNewest(scene.provider, owner), soon).toBe(true);
  await ended;
  await expect.poll(() => scene.smtp.mails.some(({ subject, text }) => subject.includes('"refused"') && text.includes('503')), soon).toBe(true);
});

it('a master that dies alone as its courier gives a claim back leaves nothing in doubt, though MySQL has marked it as sent', async () => {
  await scene.startNode();
  const master = await scene.master();
  const owner = await ownerAt(ofTwoClients, { ownerId: 'marked late', refreshMode: 'drain', row: { expiresInMs: 8000 } });
  await scene.stores.addToken(owner.did, ofTwoClients.createGrant({ owner: owner.id, client: 1 }));
  const rowNow = async (): Promise<TokenRow | undefined> => (await scene.validRows(owner.did)).find(({ accesstoken }) => accesstoken === owner.grant.accessToken);
  await vi.waitUntil(async () => (await rowNow())?.state === 'claimed', soon);
  await scene.stores.withConnection(async (operator) => {
    await operator.query('START TRANSACTION');
    await operator.query('SELECT 1 FROM tsttoken WHERE tokendid = ? FOR UPDATE', [(await rowNow())!.tokendid]);
    const isWaitedFor = async (): Promise<boolean> => (await scene.stores.query("SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")).length > 0;
    // That table is renewed only where nobody has looked at it for 100 ms.
    await vi.waitUntil(isWaitedFor, { ...soon, interval: 200 });
    const ended = master.kill();
    // The courier does not send what could not be marked for this long.
    await delay(2000);
    await operator.query('ROLLBACK');
    await ended;
  });
  await vi.waitUntil(async () => (await rowNow())?.state === 'sending', soon);
  expect(outcomes(ofTwoClients, owner)).toEqual([]);
  await expect.poll(() => outcomes(ofTwoClients, owner), soon).toEqual(['refreshed']);
  expect(await scene.stores.query("SELECT text FROM tstevent WHERE status = '4010' AND jobname LIKE ?", [`%${owner.id}%`])).toEqual([]);
}, 40_000);

it('no provider saw a refresh token twice that minds, and none revoked a grant', () => {
  expect(scene.provider.account).toMatchObject({ presentedTwice: 0, grantsRevoked: 0 });
  expect(ofTwoClients.account).toMatchObject({ presentedTwice: 0, grantsRevoked: 0 });
  expect(nonRotating.account).toMatchObject({ presentedTwice: 0, grantsRevoked: 0 });
  expect(lenient.account).toMatchObject({ presentedTwice: 1, grantsRevoked: 0 });
});
