import { beforeAll, describe, expect, it } from 'vitest';

import { freePort } from '../harness/ports.ts';
import type { Presentation } from '../harness/provider/account.ts';
import type { Behaviour } from '../harness/provider/behaviour.ts';
import type { ReceivedMail } from '../harness/smtp-sink.ts';
import { refresh, restart, tokenOf } from './caller.ts';
import { soon, useScene } from './scene.ts';
import type { NewOwner, OwnerOnScene } from './scene.ts';

const retryDelayMs = 250;
const retryMax = 2;
const wrongSecret = Buffer.from('b:an old secret').toString('base64');

const scene = useScene({
  provider: { clients: [{ id: 'a', secret: 'secret-of-a' }, { id: 'b', secret: 'secret-of-b' }] },
  config: { retryResponseCodes: '500,502', waitingTimeForToken: 200, retryAttempt: 50 },
});

/** One whose refresh is due at once. */
async function dueOwner(ownerId: string, behaviour?: Behaviour | null, over: Partial<NewOwner> = {}): Promise<OwnerOnScene> {
  const owner = await scene.addOwner({ ownerId, retryMax, retryDelayMs, mailTo: [`${ownerId.replaceAll(' ', '-')}@example.com`], ...over, row: { expiresInMs: 1000, ...over.row } });
  if (behaviour) scene.provider.always(behaviour, { grantId: owner.grant.grantId });
  return owner;
}

async function stateOf({ did }: OwnerOnScene): Promise<string | undefined> {
  return (await scene.validRows(did))[0]?.state;
}

function mailsOf({ id }: OwnerOnScene): ReceivedMail[] {
  return scene.smtp.mails.filter(({ subject }) => subject.endsWith(`"${id}"`));
}

function presentationsOf({ grant }: OwnerOnScene): Presentation[] {
  return scene.provider.account.presentations.filter(({ grantId }) => grantId === grant.grantId);
}

function gapsOf(owner: OwnerOnScene): number[] {
  return presentationsOf(owner).slice(1).map(({ at }, index) => at - presentationsOf(owner)[index]!.at);
}

const owners = {} as Record<'unreachable' | 'failing' | 'asksForPatience' | 'confirmed' | 'revoked' | 'refusing', OwnerOnScene>;
let refused: OwnerOnScene[];
let closedPort: number;

beforeAll(async () => {
  closedPort = await freePort();
  owners.unreachable = await dueOwner('unreachable', null, { row: { tokenUrl: `http://127.0.0.1:${closedPort}/token` }, mailTo: ['ops@example.com', 'dev@example.com'] });
  owners.failing = await dueOwner('failing', { kind: 'status', status: 500 });
  owners.refusing = await dueOwner('refusing', { kind: 'status', status: 404 });
  owners.revoked = await dueOwner('revoked', { kind: 'invalid-grant', description: 'token revoked' }, { retryMax: 10 });
  owners.asksForPatience = await dueOwner('asks for patience', null);
  owners.confirmed = await dueOwner('confirmed', null);
  scene.provider.next({ kind: 'status', status: 429, retryAfter: 2 }, { grantId: owners.asksForPatience.grant.grantId });
  scene.provider.next({ kind: 'invalid-grant', description: 'unknown token' }, { grantId: owners.confirmed.grant.grantId });
  refused = await Promise.all(Array.from({ length: 6 }, (_, index) => dueOwner(`of client b ${index}`, null, { clients: [1], row: { tokenAuth: wrongSecret }, mailTo: ['client-b@example.com'] })));
});

describe('an endpoint that refuses connections', () => {
  it('is tried retrymax times more, then the refresh stops', async () => {
    await expect.poll(() => stateOf(owners.unreachable), soon).toBe('stopped');
    expect(await scene.failures(owners.unreachable.did)).toBe(retryMax + 1);
  });

  it('is reported to all recipients: a mail for each failed attempt, the last of which says that the maximum is reached', async () => {
    await expect.poll(() => mailsOf(owners.unreachable).length, soon).toBe(retryMax + 1);
    const mails = mailsOf(owners.unreachable);
    expect(new Set(mails.map(({ subject }) => subject))).toEqual(new Set(['[Token Generation Failed]- Error occurs while connecting to "unreachable"']));
    for (const { to, text } of mails) {
      expect(to).toEqual(['ops@example.com', 'dev@example.com']);
      expect(text).toContain('Owner: unreachable');
      expect(text).toContain(`Token endpoint: http://127.0.0.1:${closedPort}/token`);
      expect(text).toContain('Error: ');
      expect(text).toContain('What happens next: ');
      expect(text).toContain('What to do: ');
    }
    expect(mails.map(({ text }) => /attempt \d+ of \d+|the maximum number of attempts is reached/.exec(text)?.[0])).toEqual(['attempt 1 of 3', 'attempt 2 of 3', 'the maximum number of attempts is reached']);
  });
});

describe('a status of retryResponseCodes', () => {
  it('is tried again after each retrydelay, at most retrymax times', async () => {
    await expect.poll(() => stateOf(owners.failing), soon).toBe('stopped');
    expect(presentationsOf(owners.failing)).toHaveLength(retryMax + 1);
    expect(Math.min(...gapsOf(owners.failing))).toBeGreaterThanOrEqual(retryDelayMs - 5);
  });

  it('is reported with the code in the subject', async () => {
    await expect.poll(() => mailsOf(owners.failing).length, soon).toBe(retryMax + 1);
    expect(new Set(mailsOf(owners.failing).map(({ subject }) => subject))).toEqual(new Set(['[Token Genaration Failed]- Error Code : "500" in "failing"']));
  });

  it('is counted in tsxwho.reattmptcount, which a success sets to 0', async () => {
    const owner = await dueOwner('recovering', null, { retryDelayMs: 1000, retryMax: 5 });
    scene.provider.next({ kind: 'status', status: 502 }, { grantId: owner.grant.grantId, times: 2 });
    for (const count of [1, 2, 0]) await expect.poll(() => scene.failures(owner.did), soon).toBe(count);
    expect((await scene.validRows(owner.did))[0]).toMatchObject({ accesstoken: scene.provider.newest(owner.grant.grantId)!.accessToken, retrycount: 0 });
    expect(mailsOf(owner)).toHaveLength(2);
  });
});

it('any other refusal is tried again as often, and reported with its code', async () => {
  await expect.poll(() => stateOf(owners.refusing), soon).toBe('stopped');
  expect(presentationsOf(owners.refusing)).toHaveLength(retryMax + 1);
  await expect.poll(() => mailsOf(owners.refusing).map(({ subject }) => subject), soon).toEqual(Array(3).fill('[Token Genaration Failed]- Error Code : "404" in "refusing"'));
});

it('Retry-After is honoured where it asks for more patience than retrydelay', async () => {
  await expect.poll(() => presentationsOf(owners.asksForPatience).length, soon).toBe(2);
  expect(gapsOf(owners.asksForPatience)[0]).toBeGreaterThanOrEqual(1990);
});

describe('invalid_grant', () => {
  it('is asked once more before anything is concluded from it', async () => {
    await expect.poll(() => presentationsOf(owners.confirmed).map(({ outcome }) => outcome), soon).toEqual(['held off', 'refreshed']);
    await expect.poll(() => stateOf(owners.confirmed), soon).toBe('idle');
  });

  it('means, when it is confirmed, that the grant is dead: nothing more is sent, and people are told', async () => {
    await expect.poll(() => stateOf(owners.revoked), soon).toBe('dead');
    expect(presentationsOf(owners.revoked)).toHaveLength(2);
    await expect.poll(() => mailsOf(owners.revoked).length, soon).toBe(2);
    expect(mailsOf(owners.revoked)[1]).toMatchObject({ subject: '[Token Genaration Failed]- Error Code : "400" in "revoked"', text: expect.stringContaining('the grant is revoked or has expired') as string });
  });
});

describe('invalid_client', () => {
  it('stops all owners of the client, with few requests and few mails', async () => {
    for (const owner of refused) await expect.poll(() => stateOf(owner), soon).toBe('stopped');
    const mails = (): ReceivedMail[] => scene.smtp.mails.filter(({ to }) => to.includes('client-b@example.com'));
    await expect.poll(() => mails().map(({ text }) => /attempt \d|maximum/.exec(text)?.[0]), soon).toEqual(['attempt 1', 'attempt 2', 'maximum']);
    expect(scene.provider.account.clientFailures).toBeLessThan(refused.length * (retryMax + 1));
    for (const { subject } of mails()) expect(subject).toMatch(/^\[Token Generation Failed]- Invalid Credentials in "of client b \d"$/);
  });

  it('is reported with owner, endpoint, client, the attempt of how many, and what comes next', () => {
    const { text } = scene.smtp.mails.find(({ to }) => to.includes('client-b@example.com'))!;
    expect(text).toMatch(/Owner: of client b \d\nToken endpoint: /);
    expect(text).toContain(`attempt 1 of ${retryMax + 1}`);
    expect(text).toContain('the client "b"');
    expect(text).toContain('What happens next: ');
  });

  it('is over for an owner whose row was corrected, once its pool is restarted', async () => {
    const owner = refused[0]!;
    await scene.stores.query('UPDATE tsttoken SET tokenauth = ? WHERE tsxwhodid = ?', [owner.grant.tokenAuth, owner.did]);
    expect((await restart(scene.nodes[0]!, owner.id)).status).toBe(200);
    expect((await tokenOf(scene.nodes[0]!, owner.id)).body).toBe(scene.provider.newest(owner.grant.grantId)!.accessToken);
  });
});

describe('a refresh that has stopped', () => {
  it('stays so, though its token has expired', async () => {
    expect(await stateOf(owners.failing)).toBe('stopped');
    expect(presentationsOf(owners.failing)).toHaveLength(retryMax + 1);
    expect(mailsOf(owners.failing)).toHaveLength(retryMax + 1);
  });

  it('goes on after PUT restart, with its count at 0', async () => {
    scene.provider.clear();
    expect((await restart(scene.nodes[0]!, 'failing')).status).toBe(200);
    expect((await tokenOf(scene.nodes[0]!, 'failing')).body).toBe(scene.provider.newest(owners.failing.grant.grantId)!.accessToken);
    expect(await scene.failures(owners.failing.did)).toBe(0);
  });
});

describe('mail', () => {
  it('that no server takes fails no refresh, and is sent when one takes it', async () => {
    scene.smtp.failWith({ at: 'connect', code: 421 });
    const owner = await scene.addOwner({ ownerId: 'in the dark', retryDelayMs, mailTo: ['dark@example.com'] });
    scene.provider.next({ kind: 'status', status: 500 }, { grantId: owner.grant.grantId });
    expect((await refresh(scene.nodes[0]!, owner.id, owner.grant.accessToken)).body).toBe('TPS0030:No valid response code');
    await expect.poll(() => presentationsOf(owner).at(-1)?.outcome, soon).toBe('refreshed');
    await expect.poll(async () => (await tokenOf(scene.nodes[0]!, owner.id)).body, soon).toBe(scene.provider.newest(owner.grant.grantId)!.accessToken);
    expect(mailsOf(owner)).toHaveLength(0);
    scene.smtp.failWith(null);
    await expect.poll(() => mailsOf(owner).length, soon).toBe(1);
  });

  it('to an address that cannot be one does no harm either', async () => {
    const owner = await dueOwner('badly addressed', null, { mailTo: ['', '  ', 'no address', 'two@example.com,three@example.com\r\nBcc: all@example.com'] });
    scene.provider.next({ kind: 'status', status: 500 }, { grantId: owner.grant.grantId });
    await expect.poll(() => presentationsOf(owner).map(({ outcome }) => outcome), soon).toEqual(['held off', 'refreshed']);
  });
});
