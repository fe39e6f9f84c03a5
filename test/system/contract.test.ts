import { beforeAll, describe, expect, it } from 'vitest';

import type { OwnedGrant } from '../harness/system-of-record.ts';
import type { NodeProcess } from '../harness/node-process.ts';
import { call, refresh, restart, tokenOf } from './caller.ts';
import { soon, useScene } from './scene.ts';
import type { OwnerOnScene } from './scene.ts';

/** A segment of a URL path carries them all, encoded. */
const oddIds = [
  'api/gateway', 'größe', '网关', '🚀 rocket', '100%', '50%25', 'two  blanks', 'a+b', 'a?b=c', 'semi;colon', "o'brien", '"quoted"', '<b>', '{curly}', 'back\\slash', '#1',
  'restart', 'refresh', '..', '.', 'x'.repeat(200), 'Ü'.repeat(200), 'UPPER', 'upper', 'null', '0', '-- ; DROP', 'a:b', 'tab\tbed',
];

const shortWait = { waitingTimeForToken: 200, retryAttempt: 5 };

const scene = useScene({
  provider: { clients: [{ id: 'a', secret: 'secret-of-a' }, { id: 'b', secret: 'secret-of-b' }] },
  nodes: [{}, {}, shortWait],
  config: { waitingTimeForToken: 200, retryAttempt: 150, retryResponseCodes: '500' },
  prepare: async (on) => {
    await on.addOwner({ ownerId: 'plain' });
    for (const ownerId of oddIds) await on.addOwner({ ownerId });
    await on.addOwner({ ownerId: '  blanks around  ' });
  },
});

let master: NodeProcess;
let follower: NodeProcess;
beforeAll(async () => {
  master = await scene.master();
  follower = await scene.follower();
});

/** An owner nobody knows yet, inserted while the service runs. */
let added = 0;
async function newOwner(over: Partial<Parameters<typeof scene.addOwner>[0]> = {}): Promise<OwnerOnScene> {
  return scene.addOwner({ ownerId: `owner ${++added}`, ...over });
}

async function everyNodeAnswers(ownerId: string, body: string): Promise<void> {
  for (const node of scene.nodes) await expect.poll(async () => (await tokenOf(node, ownerId)).body, soon).toBe(body);
}

describe('GET /tokenservice/{ownerId}', () => {
  it('is answered with the token itself by the master and by followers', async () => {
    const owner = await newOwner();
    for (const node of scene.nodes) {
      expect(await tokenOf(node, owner.id)).toMatchObject({ status: 200, body: owner.grant.accessToken, type: expect.stringMatching(/^text\/plain/) as string });
    }
  });

  it('labels the same raw body as JSON for a caller that accepts JSON', async () => {
    const owner = await newOwner();
    for (const node of [master, follower]) {
      expect(await tokenOf(node, owner.id, 'application/json')).toMatchObject({ status: 200, body: owner.grant.accessToken, type: expect.stringMatching(/^application\/json/) as string });
    }
  });

  it.each(oddIds)('finds the owner %j', async (ownerId) => {
    for (const node of [master, follower]) {
      const { status, body } = await tokenOf(node, ownerId);
      expect({ status, owner: scene.provider.isLive(body).owner }).toEqual({ status: 200, owner: ownerId });
    }
  });

  it('compares ids trimmed, on both sides', async () => {
    for (const id of ['blanks around', ' blanks around', '  blanks around   ']) {
      expect(scene.provider.isLive((await tokenOf(follower, id)).body).owner).toBe('  blanks around  ');
    }
  });

  it('does not take an id for another that differs in case, accent or a blank within', async () => {
    for (const id of ['PLAIN', 'pläin', 'pla in', 'plain%', 'plai_']) expect(await tokenOf(follower, id)).toMatchObject({ status: 400, body: 'TPS0013:Token pool not initialized yet' });
  });

  it('says TPS0013 of an owner nobody knows, and serves it once it is there', async () => {
    for (const node of scene.nodes) expect(await tokenOf(node, 'late comer')).toMatchObject({ status: 400, body: 'TPS0013:Token pool not initialized yet' });
    const owner = await newOwner({ ownerId: 'late comer' });
    await everyNodeAnswers('late comer', owner.grant.accessToken);
  });

  it('says TPS0016 of an owner without any token', async () => {
    const owner = await newOwner({ clients: [] });
    for (const node of [master, follower]) expect(await tokenOf(node, owner.id)).toMatchObject({ status: 400, body: 'TPS0016:No token pool implementation initialized' });
  });

  it('says TPS0007 where the owner id is empty', async () => {
    for (const path of ['/tokenservice/', '/tokenservice', '/tokenservice/%20%20']) {
      expect(await call('GET', `${follower.appUrl}${path}`)).toMatchObject({ status: 400, body: 'TPS0007:No Valid owner defined' });
    }
  });

  it('says TP0003 of an id that cannot be one', async () => {
    for (const path of [`/tokenservice/${'x'.repeat(201)}`, '/tokenservice/%zz', '/tokenservice/%C3']) {
      expect(await call('GET', `${follower.appUrl}${path}`)).toMatchObject({ status: 400, body: 'TP0003:Input Parameter Error' });
    }
  });
});

describe('waiting for a token', () => {
  /** Its only token has expired, and its provider cannot be reached. */
  const stranded = (): Promise<OwnerOnScene> => newOwner({ row: { tokenUrl: 'http://127.0.0.1:1/token', expiresInMs: 1 }, retryMax: 0 });

  it('is over the moment a new row is taken in', async () => {
    const owner = await stranded();
    const waiting = [master, follower].map((node) => tokenOf(node, owner.id));
    const fresh = scene.provider.createGrant({ owner: owner.id });
    await scene.stores.addToken(owner.did, fresh);
    for (const answer of await Promise.all(waiting)) expect(answer).toMatchObject({ status: 200, body: fresh.accessToken });
  });

  it('is over the moment the refresh that was stopped goes on after PUT restart', async () => {
    const owner = await stranded();
    await expect.poll(async () => (await scene.validRows(owner.did))[0]?.state, soon).toBe('stopped');
    const waiting = tokenOf(follower, owner.id);
    await scene.stores.query('UPDATE tsxwho SET tokenurl = ? WHERE tsxwhodid = ?', [scene.provider.tokenUrl, owner.did]);
    expect((await restart(follower, owner.id)).status).toBe(200);
    const { status, body } = await waiting;
    expect({ status, ...scene.provider.isLive(body) }).toMatchObject({ status: 200, owner: owner.id, expired: false });
  });

  it('ends with TPS0005 after waitingTimeForToken x retryAttempt', async () => {
    const owner = await stranded();
    const answer = await tokenOf(scene.nodes[2]!, owner.id);
    expect(answer).toMatchObject({ status: 400, body: 'TPS0005:NO pool entry for this Owner' });
    expect(answer.tookMs).toBeGreaterThan(950);
    expect(answer.tookMs).toBeLessThan(6000);
  });
});

describe('PUT /tokenservice/refresh/{ownerId}/{tokenId}', () => {
  it.each([['the master', (): NodeProcess => master], ['a follower', (): NodeProcess => follower]])('by access token on %s gives the new one, which every node then hands out', async (_name, node) => {
    const owner = await newOwner();
    await everyNodeAnswers(owner.id, owner.grant.accessToken);
    const answer = await refresh(node(), owner.id, owner.grant.accessToken);
    expect(answer).toMatchObject({ status: 200, body: scene.provider.newest(owner.grant.grantId)!.accessToken, type: expect.stringMatching(/^text\/plain/) as string });
    expect(answer.body).not.toBe(owner.grant.accessToken);
    await everyNodeAnswers(owner.id, answer.body);
  });

  it('by the number of the row does the same', async () => {
    const owner = await newOwner();
    const [row] = await scene.validRows(owner.did);
    const answer = await refresh(follower, owner.id, row!.tokendid);
    expect(answer).toMatchObject({ status: 200, body: scene.provider.newest(owner.grant.grantId)!.accessToken });
    await everyNodeAnswers(owner.id, answer.body);
  });

  it('compares the access token trimmed', async () => {
    const owner = await newOwner();
    expect(await refresh(follower, ` ${owner.id} `, ` ${owner.grant.accessToken} `)).toMatchObject({ status: 200, body: scene.provider.newest(owner.grant.grantId)!.accessToken });
  });

  it('replaces one token of several, and leaves the others', async () => {
    const owner = await newOwner({ ownerId: 'with a copy', clients: [0] });
    const other = scene.provider.createGrant({ owner: owner.id });
    await scene.stores.addToken(owner.did, { ...other, tokenAuth: Buffer.from('other:client').toString('base64') });
    expect((await refresh(follower, owner.id, owner.grant.accessToken)).status).toBe(200);
    expect((await scene.validRows(owner.did)).map(({ accesstoken }) => accesstoken)).toEqual([other.accessToken, scene.provider.newest(owner.grant.grantId)!.accessToken]);
  });

  it('keeps the old row, invalid and the parent of the new one', async () => {
    const owner = await newOwner();
    await refresh(follower, owner.id, owner.grant.accessToken);
    const [old, fresh] = await scene.tokenRows(owner.did);
    expect(old).toMatchObject({ valid: 0, accesstoken: owner.grant.accessToken });
    expect(fresh).toMatchObject({ valid: 1, parenttokendid: old!.tokendid, tokenvalidity: 3_600_000, tokenauth: owner.grant.tokenAuth });
  });

  it('asked for at once on every node asks the provider once', async () => {
    const owner = await newOwner();
    const answers = await Promise.all(scene.nodes.map((node) => refresh(node, owner.id, owner.grant.accessToken)));
    expect(answers.map(({ status }) => status)).toContain(200);
    for (const { status, body } of answers) if (status === 200) expect(body).toBe(scene.provider.newest(owner.grant.grantId)!.accessToken);
    expect(scene.provider.account.presentations.filter(({ grantId }) => grantId === owner.grant.grantId)).toHaveLength(1);
  });

  it('says TPS0010 of a token that is not in the pool', async () => {
    const owner = await newOwner();
    for (const token of ['never-heard-of', '999999999', 'a/b']) expect(await refresh(follower, owner.id, token)).toMatchObject({ status: 400, body: 'TPS0010:Invalid token' });
    await refresh(follower, owner.id, owner.grant.accessToken);
    expect(await refresh(follower, owner.id, owner.grant.accessToken)).toMatchObject({ status: 400, body: 'TPS0010:Invalid token' });
  });

  it("says TPS0010 of another owner's token", async () => {
    const [one, other] = [await newOwner(), await newOwner()];
    expect(await refresh(follower, one.id, other.grant.accessToken)).toMatchObject({ status: 400, body: 'TPS0010:Invalid token' });
  });

  it('says TPS0009 of a row that was replaced', async () => {
    const owner = await newOwner();
    const [row] = await scene.validRows(owner.did);
    await refresh(follower, owner.id, row!.tokendid);
    expect(await refresh(follower, owner.id, row!.tokendid)).toMatchObject({ status: 400, body: 'TPS0009:Token already removed from the token pool' });
  });

  it.each<[string, Partial<OwnedGrant>]>([
    ['TPS0015:Refresh Token is null', { refreshToken: '' }],
    ['TPS0018:No valid token url defined at the db', { tokenUrl: '' }],
    ['TPS0018:No valid token url defined at the db', { tokenUrl: 'ftp://somewhere/token' }],
    ['TPS0019:Invalid Authentication Header at the db', { tokenAuth: '' }],
    ['TPS0019:Invalid Authentication Header at the db', { tokenAuth: 'not base64!' }],
    ['TPS0021:Invalid credentials passed for Token Regeneration', { tokenAuth: Buffer.from('nobody:knows').toString('base64') }],
    ['TPS0020:Token Regeneration Failed', { refreshToken: 'unknown-to-the-provider' }],
    ["TPS0025:Can't be connected to the server", { tokenUrl: 'http://127.0.0.1:1/token' }],
  ])('says %s where the row is %j', async (body, row) => {
    const owner = await newOwner({ row, retryDelayMs: 60_000 });
    expect(await refresh(follower, owner.id, owner.grant.accessToken)).toMatchObject({ status: 400, body });
    expect(await tokenOf(follower, owner.id)).toMatchObject({ status: 200, body: owner.grant.accessToken });
  });

  it('says TPS0030 where the provider answers with a status of retryResponseCodes', async () => {
    const owner = await newOwner({ retryDelayMs: 60_000 });
    scene.provider.next({ kind: 'status', status: 500 }, { grantId: owner.grant.grantId });
    expect(await refresh(follower, owner.id, owner.grant.accessToken)).toMatchObject({ status: 400, body: 'TPS0030:No valid response code' });
  });

  it('says TPS0026 once the retries are used up', async () => {
    const owner = await newOwner({ row: { tokenUrl: 'http://127.0.0.1:1/token' }, retryMax: 0 });
    await refresh(follower, owner.id, owner.grant.accessToken);
    expect(await refresh(follower, owner.id, owner.grant.accessToken)).toMatchObject({ status: 400, body: 'TPS0026:Reached maximum retry attempts' });
  });

  it('says what is missing where owner or token is', async () => {
    expect(await call('PUT', `${follower.appUrl}/tokenservice/refresh/nobody/x`)).toMatchObject({ status: 400, body: 'TPS0013:Token pool not initialized yet' });
    expect(await call('PUT', `${follower.appUrl}/tokenservice/refresh/%20/x`)).toMatchObject({ status: 400, body: 'TPS0007:No Valid owner defined' });
    expect(await call('PUT', `${follower.appUrl}/tokenservice/refresh/plain/%20`)).toMatchObject({ status: 400, body: 'TP0003:Input Parameter Error' });
  });
});

describe('PUT /tokenservice/restart/{ownerId}', () => {
  it.each([['the master', (): NodeProcess => master], ['a follower', (): NodeProcess => follower]])('is answered by %s, spelt as it always was', async (_name, node) => {
    expect(await restart(node(), 'api/gateway')).toMatchObject({ status: 200, body: 'Token pool restartd for :api/gateway' });
  });

  it('takes in what was changed in the database', async () => {
    const owner = await newOwner();
    await everyNodeAnswers(owner.id, owner.grant.accessToken);
    const fresh = scene.provider.createGrant({ owner: owner.id });
    await scene.stores.addToken(owner.did, fresh);
    expect((await restart(follower, owner.id)).status).toBe(200);
    await everyNodeAnswers(owner.id, fresh.accessToken);
  });

  it('takes out at once what was made invalid in the database: a row of several, or the owner', async () => {
    const owner = await newOwner({ clients: [0, 1] });
    await expect.poll(async () => (await scene.stores.query<{ n: number }>('SELECT COUNT(dueat) AS n FROM tsttoken WHERE tsxwhodid = ?', [owner.did]))[0]?.n, soon).toBe(2);
    const handedOut = (await tokenOf(follower, owner.id)).body;
    await scene.stores.query('UPDATE tsttoken SET isvalid = 0 WHERE tsxwhodid = ? AND accesstoken = ?', [owner.did, handedOut]);
    expect((await restart(follower, owner.id)).status).toBe(200);
    await everyNodeAnswers(owner.id, owner.grants.find(({ accessToken }) => accessToken !== handedOut)!.accessToken);
    await scene.stores.query('UPDATE tsxwho SET isvalid = 0 WHERE tsxwhodid = ?', [owner.did]);
    expect((await restart(follower, owner.id)).body).toBe('TPS0013:Token pool not initialized yet');
    await everyNodeAnswers(owner.id, 'TPS0013:Token pool not initialized yet');
  });

  it('takes out what was made invalid before it ever came into the pool', async () => {
    const owner = await newOwner();
    expect((await tokenOf(follower, owner.id)).body).toBe(owner.grant.accessToken);
    await scene.stores.query('UPDATE tsttoken SET isvalid = 0 WHERE tsxwhodid = ?', [owner.did]);
    expect((await restart(master, owner.id)).body).toBe('TPS0029:No valid token found');
    await everyNodeAnswers(owner.id, 'TPS0016:No token pool implementation initialized');
  });

  it('says TPS0029 where the owner has no valid token', async () => {
    const owner = await newOwner({ clients: [] });
    expect(await restart(follower, owner.id)).toMatchObject({ status: 400, body: 'TPS0029:No valid token found' });
  });

  it('says TPS0008 where the owner has no reset time', async () => {
    const owner = await newOwner({ resetTimeMs: 0 });
    expect(await restart(follower, owner.id)).toMatchObject({ status: 400, body: 'TPS0008:No token reset time specified for the owner' });
  });

  it('says TPS0013 of an unknown owner and TPS0007 of none', async () => {
    expect(await restart(follower, 'nobody')).toMatchObject({ status: 400, body: 'TPS0013:Token pool not initialized yet' });
    expect(await restart(follower, ' ')).toMatchObject({ status: 400, body: 'TPS0007:No Valid owner defined' });
  });
});

describe('the definition and the admin port', () => {
  it('defines the API for people and for machines on the application port', async () => {
    expect(await call('GET', `${follower.appUrl}/swagger`, 'text/html')).toMatchObject({ status: 200, type: expect.stringMatching(/^text\/html/) as string });
    const { status, body } = await call('GET', `${follower.appUrl}/swagger?path=tokenservice`, 'application/json');
    expect(status).toBe(200);
    expect(Object.keys((JSON.parse(body) as { paths: object }).paths)).toEqual(expect.arrayContaining(['/tokenservice/{ownerId}', '/tokenservice/restart/{ownerId}', '/tokenservice/refresh/{ownerId}/{tokenId}']));
  });

  it('answers /ping, /healthcheck, /metrics and /cluster on the admin port of every node', async () => {
    for (const node of scene.nodes) {
      expect(await call('GET', `${node.adminUrl}/ping`)).toMatchObject({ status: 200, body: expect.stringMatching(/^pong\s*$/) as string });
      const health = await call('GET', `${node.adminUrl}/healthcheck`);
      expect({ status: health.status, ...(JSON.parse(health.body) as object) }).toMatchObject({ status: 200, mysql: { healthy: true }, redis: { healthy: true } });
      expect(await call('GET', `${node.adminUrl}/metrics`)).toMatchObject({ status: 200, body: expect.stringContaining('# TYPE ') as string });
    }
    const roles = await Promise.all(scene.nodes.map(async (node) => (JSON.parse((await call('GET', `${node.adminUrl}/cluster`)).body) as { role: string }).role));
    expect(roles.toSorted()).toEqual(['follower', 'follower', 'master']);
  });
});
