import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { IssuedGrant } from '../../harness/provider/judgement.ts';
import { startProvider, type Provider } from '../../harness/provider/provider.ts';
import { refreshByHand } from '../../harness/provider/refresh-by-hand.ts';
import { arrivalFaults } from './arrivals.ts';
import { idler, isPaused, member, named, scene, type Stand } from './played-scene.ts';

const request = `const [url, auth, token] = process.argv.slice(1);
fetch(url, { method: 'POST', headers: { authorization: 'Basic ' + auth }, body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token }) })
  .then(async (answer) => { await answer.text(); process.stdout.write(String(answer.status)); });`;

let provider: Provider;
let grant: IssuedGrant;
let stand: Stand;
let told: string[];
let wasSpent: boolean[];

const spent = (): boolean => provider.newest(grant.grantId)?.refreshToken !== grant.refreshToken;

beforeEach(async () => {
  provider = await startProvider();
  grant = provider.createGrant();
  stand = { service: idler(), courier: undefined };
  [told, wasSpent] = [[], []];
});

afterEach(async () => {
  for (const process of [stand.courier, stand.service]) process?.kill('SIGKILL');
  await provider.stop();
});

/** Its courier sends a request once there is one. */
function inflict(kind: string): Promise<boolean> {
  const noted = (what: string): void => {
    told.push(what);
    wasSpent.push(spent());
  };
  return named(arrivalFaults, kind).inflict(scene({ members: [member('node-1', stand)], population: { providers: { strict: provider } } }, noted));
}

/** @returns what it got to read */
function send(): Promise<string> {
  const courier = spawn(process.execPath, ['-e', request, grant.tokenUrl, grant.tokenAuth, grant.refreshToken], { stdio: ['ignore', 'pipe', 'ignore'] });
  stand.courier = courier;
  return text(courier.stdout);
}

describe('Whoever sent the request', () => {
  it.each([
    ['when the request arrived', false],
    ['between request and first byte', true],
    ['between first byte and last', true],
  ])('is killed %s', async (when, isSpentByThen) => {
    const inflicted = inflict(`killed ${when} (courier)`);
    expect(await send()).toBe('');
    expect(await inflicted).toBe(true);
    expect([told, wasSpent]).toEqual([['courier of node-1'], [isSpentByThen]]);
    await expect.poll(() => [stand.courier?.signalCode, stand.service?.signalCode]).toEqual(['SIGKILL', null]);
    await expect.poll(spent).toBe(true);
  });

  it('is killed with the other process of its node', async () => {
    const inflicted = inflict('killed between request and first byte (whole node)');
    expect(await send()).toBe('');
    expect(await inflicted).toBe(true);
    expect(told).toEqual(['courier of node-1', 'service of node-1']);
    await expect.poll(() => [stand.courier?.signalCode, stand.service?.signalCode]).toEqual(['SIGKILL', 'SIGKILL']);
  });

  it.each(['when the request arrived', 'between request and first byte', 'between first byte and last'])('is paused %s, and reads its answer afterwards', async (when) => {
    const inflicted = inflict(`paused ${when} (whole node)`);
    const answer = send();
    const { courier, service } = stand;
    await expect.poll(() => isPaused(courier!) && isPaused(service!), { timeout: 3000 }).toBe(true);
    expect(await inflicted).toBe(true);
    expect(await answer).toBe('200');
    expect(isPaused(service!)).toBe(false);
    expect(told).toEqual([]);
  });
});

describe('A node that sent nothing', () => {
  it('is left alone', async () => {
    stand.courier = idler();
    const inflicted = inflict('killed when the request arrived (whole node)');
    expect((await refreshByHand(grant)).status).toBe(200);
    expect(await inflicted).toBe(false);
    expect([told, stand.courier.signalCode, stand.service?.signalCode]).toEqual([[], null, null]);
  });
});

describe('Where no request comes', () => {
  it('nothing waits for a later one', async () => {
    expect(await inflict('killed when the request arrived (courier)')).toBe(false);
    expect(await send()).toBe('200');
  });
});
