import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fieldsOf, refreshByHand } from '../provider/refresh-by-hand.ts';
import { startOidcServer } from './oidc-server.ts';
import type { OidcServer } from './oidc-server.ts';

let server: OidcServer;

beforeEach(async () => {
  server = await startOidcServer({ clients: 2 });
});

afterEach(() => server.stop());

test('a grant is refreshed again and again with the refresh token of the last answer', async () => {
  const grant = await server.createGrant(1, 'acme');
  const first = fieldsOf(await refreshByHand(grant));
  const second = fieldsOf(await refreshByHand({ ...grant, refreshToken: first.refresh_token ?? '' }));
  expect(second).toMatchObject({ token_type: 'Bearer', expires_in: 20 });
  expect(new Set([grant.refreshToken, first.refresh_token, second.refresh_token]).size).toBe(3);
  for (const token of [grant.accessToken, first.access_token, second.access_token]) {
    expect(server.isLive(token)).toMatchObject({ known: true, owner: 'acme', grantId: grant.grantId, expired: false, revoked: false });
    expect(await server.introspect(token, 1)).toMatchObject({ active: true });
  }
  expect(server.account).toMatchObject({ issued: 3, refreshes: 2, grantsRevoked: 0, presentedTwice: 0 });
});

test('a refresh token used twice revokes the grant with all its tokens', async () => {
  const [grant, bystander] = [await server.createGrant(0, 'acme'), await server.createGrant(0, 'other')];
  const first = fieldsOf(await refreshByHand(grant));
  const again = await refreshByHand(grant);
  expect([again.status, fieldsOf(again).error]).toEqual([400, 'invalid_grant']);
  expect((await refreshByHand({ ...grant, refreshToken: first.refresh_token ?? '' })).status).toBe(400);
  expect(server.isLive(first.access_token).revoked).toBe(true);
  expect(server.isLive(bystander.accessToken).revoked).toBe(false);
  expect(await server.introspect(first.access_token)).toEqual({ active: false });
  expect(server.account).toMatchObject({ refreshes: 1, grantsRevoked: 1, presentedTwice: 1 });
});

test('an access token ends at the second the judge names', async () => {
  const { accessToken } = await server.createGrant();
  const { expiresAt } = server.isLive(accessToken);
  expect(expiresAt - Date.now()).toBeGreaterThan(18_000);
  expect(expiresAt - Date.now()).toBeLessThanOrEqual(20_000);
  expect(server.isLive(accessToken, expiresAt).expired).toBe(true);
});

test('a wrong client is refused', async () => {
  const grant = await server.createGrant();
  const answer = await refreshByHand({ ...grant, tokenAuth: Buffer.from('client-1:wrong').toString('base64') });
  expect([answer.status, fieldsOf(answer).error]).toEqual([401, 'invalid_client']);
});

test('thousands of grants are remembered', async () => {
  const grants = [];
  for (let i = 0; i < 1500; i++) grants.push(await server.createGrant(0, `owner-${i}`));
  const [eldest] = grants;
  expect(eldest && (await refreshByHand(eldest)).status).toBe(200);
});

test('it starts and refreshes without a word on the console', async () => {
  const spies = (['info', 'warn', 'log', 'error'] as const).map((name) => vi.spyOn(console, name));
  const quiet = await startOidcServer();
  await refreshByHand(await quiet.createGrant());
  await quiet.stop();
  for (const spy of spies) expect(spy).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});
