import { afterEach, expect, test } from 'vitest';
import { startProvider } from './provider.ts';
import type { Provider, ProviderOptions } from './provider.ts';
import { fieldsOf, refreshByHand } from './refresh-by-hand.ts';

let provider: Provider;

async function start(options?: ProviderOptions): Promise<void> {
  provider = await startProvider(options);
}

afterEach(() => provider.stop());

test('a refresh gives a new access token and a new refresh token', async () => {
  await start({ accessTokenSeconds: 20 });
  const grant = provider.createGrant();
  const answer = await refreshByHand(grant);
  const fields = fieldsOf(answer);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(fields).toMatchObject({ token_type: 'Bearer', expires_in: 20 });
  expect(new Set([fields.access_token, fields.refresh_token, grant.accessToken, grant.refreshToken]).size).toBe(4);
  expect(provider.newest(grant.grantId)).toMatchObject({ accessToken: fields.access_token, refreshToken: fields.refresh_token });
  expect(provider.account).toMatchObject({ refreshes: 1, issued: 2, presentedTwice: 0, presentedAgain: 0, grantsRevoked: 0 });
});

test('a refresh token presented twice revokes the whole grant with all its tokens', async () => {
  await start();
  const [grant, bystander] = [provider.createGrant(), provider.createGrant()];
  const first = fieldsOf(await refreshByHand(grant));
  const again = await refreshByHand(grant);
  expect([again.status, fieldsOf(again).error]).toEqual([400, 'invalid_grant']);
  const newest = await refreshByHand({ ...grant, refreshToken: first.refresh_token ?? '' });
  expect([newest.status, fieldsOf(newest).error]).toEqual([400, 'invalid_grant']);
  expect(provider.isLive(first.access_token)).toMatchObject({ known: true, revoked: true, expired: false });
  expect(provider.isLive(grant.accessToken).revoked).toBe(true);
  expect(provider.isLive(bystander.accessToken).revoked).toBe(false);
  expect(provider.account).toMatchObject({ presentedTwice: 1, grantsRevoked: 1, refreshes: 1 });
  expect(provider.account.presentations.map(({ outcome }) => outcome)).toEqual(['refreshed', 'reuse', 'revoked grant']);
});

test('of two simultaneous presentations of one refresh token the second is a reuse', async () => {
  await start({ latencyMs: 50 });
  const grant = provider.createGrant();
  const answers = await Promise.all([refreshByHand(grant), refreshByHand(grant)]);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400]);
  expect(provider.account.grantsRevoked).toBe(1);
});

test('within the grace window a spent refresh token gets the same answer once more', async () => {
  await start({ graceMs: 60_000 });
  const grant = provider.createGrant();
  const [first, second] = [await refreshByHand(grant), await refreshByHand(grant)];
  expect(second.text).toBe(first.text);
  expect(provider.account).toMatchObject({ presentedTwice: 1, refreshes: 1, grantsRevoked: 0 });
});

test('after the grace window it is a reuse', async () => {
  await start({ graceMs: 20 });
  const grant = provider.createGrant();
  await refreshByHand(grant);
  const spentAt = Date.now();
  await expect.poll(() => Date.now() - spentAt).toBeGreaterThan(21);
  expect((await refreshByHand(grant)).status).toBe(400);
  expect(provider.account.grantsRevoked).toBe(1);
});

test('a provider that does not rotate leaves the refresh token out and takes it again and again', async () => {
  await start({ rotate: false });
  const grant = provider.createGrant();
  const answers = [await refreshByHand(grant), await refreshByHand(grant)];
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect(answers.map((answer) => fieldsOf(answer).refresh_token)).toEqual([undefined, undefined]);
  expect(provider.account).toMatchObject({ presentedTwice: 0, presentedAgain: 1, grantsRevoked: 0 });
});

test('a provider can end the previous access token at the refresh', async () => {
  await start({ killsOldAccessToken: true });
  const grant = provider.createGrant();
  const { access_token: next } = fieldsOf(await refreshByHand(grant));
  expect(provider.isLive(grant.accessToken).revoked).toBe(true);
  expect(provider.isLive(next).revoked).toBe(false);
});

test('the judge knows owner, expiry and the moment of a revocation', async () => {
  await start({ accessTokenSeconds: 10 });
  const grant = provider.createGrant({ owner: 'acme' });
  const before = Date.now();
  expect(provider.isLive(grant.accessToken)).toMatchObject({ known: true, owner: 'acme', grantId: grant.grantId, expired: false, revoked: false });
  expect(provider.isLive(grant.accessToken, before + 10_001).expired).toBe(true);
  provider.revokeAccessToken(grant.accessToken);
  expect(provider.isLive(grant.accessToken).revoked).toBe(true);
  expect(provider.isLive(grant.accessToken, before - 1).revoked).toBe(false);
  expect(provider.isLive('made up').known).toBe(false);
});

test('a client may authenticate in the body, with a secret of any characters, and by Basic encoded or not', async () => {
  const client = { id: 'an id', secret: 'p%:+ä&=' };
  await start({ rotate: false, clients: [client] });
  const grant = provider.createGrant();
  const inBody = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: grant.refreshToken, client_id: client.id, client_secret: client.secret });
  const encoded = Buffer.from(`${encodeURIComponent(client.id)}:${encodeURIComponent(client.secret)}`).toString('base64');
  expect((await fetch(grant.tokenUrl, { method: 'POST', body: inBody })).status).toBe(200);
  expect((await refreshByHand(grant)).status).toBe(200);
  expect((await refreshByHand({ ...grant, tokenAuth: encoded })).status).toBe(200);
});

test('a wrong client, or the client of another, is refused and spends nothing', async () => {
  await start({ clients: [{ id: 'one', secret: 's1' }, { id: 'two', secret: 's2' }] });
  const [one, two] = [provider.createGrant({ client: 0 }), provider.createGrant({ client: 1 })];
  const wrong = await refreshByHand({ ...one, tokenAuth: Buffer.from('one:wrong').toString('base64') });
  expect([wrong.status, fieldsOf(wrong).error]).toEqual([401, 'invalid_client']);
  const other = await refreshByHand({ ...one, tokenAuth: two.tokenAuth });
  expect([other.status, fieldsOf(other).error]).toEqual([400, 'invalid_grant']);
  expect((await refreshByHand(one)).status).toBe(200);
  expect(provider.account.clientFailures).toBe(1);
});

test('pruning forgets what ended and still recognises reuse', async () => {
  await start();
  const grant = provider.createGrant();
  const newest = fieldsOf(await refreshByHand(grant));
  provider.prune(-1);
  expect(provider.isLive(newest.access_token).known).toBe(true);
  expect(provider.account.presentations).toEqual([]);
  expect((await refreshByHand(grant)).status).toBe(400);
  expect(provider.account).toMatchObject({ presentedTwice: 1, presentedAgain: 1, grantsRevoked: 1, refreshes: 1 });
  expect(provider.isLive(newest.access_token).revoked).toBe(true);
});

test('a revoked refresh token takes its grant with it', async () => {
  await start();
  const grant = provider.createGrant();
  const body = new URLSearchParams({ token: grant.refreshToken });
  await fetch(provider.revocationUrl, { method: 'POST', body, headers: { authorization: `Basic ${grant.tokenAuth}` } });
  expect(provider.isLive(grant.accessToken).revoked).toBe(true);
  expect((await refreshByHand(grant)).status).toBe(400);
});

test('over TLS the certificate is trusted with the authority given, and only then', async () => {
  const { request } = await import('node:https');
  const statusWith = (url: string, ca: string): Promise<number | string | undefined> =>
    new Promise((resolve) => {
      const asked = request(url, { ca, method: 'POST', agent: false }, (response) => resolve(response.resume().statusCode));
      asked.on('error', (error: NodeJS.ErrnoException) => resolve(error.code)).end();
    });
  await start({ tls: 'untrusted' });
  expect(await statusWith(provider.tokenUrl, provider.caPem ?? '')).toMatch(/CERT|SIGNATURE|ISSUER/);
  await provider.stop();
  await start({ tls: 'trusted' });
  expect(await statusWith(provider.tokenUrl, provider.caPem ?? '')).toBe(401);
  expect(await statusWith(provider.tokenUrl.replace('127.0.0.1', 'localhost'), provider.caPem ?? '')).toBe(401);
});
