import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Behaviour } from './behaviour.ts';
import type { IssuedGrant } from './judgement.ts';
import { startProvider } from './provider.ts';
import type { Provider } from './provider.ts';
import { fieldsOf, refreshByHand } from './refresh-by-hand.ts';

let provider: Provider;
let grant: IssuedGrant;

beforeEach(async () => {
  provider = await startProvider({ accessTokenSeconds: 20 });
  grant = provider.createGrant();
});

afterEach(() => provider.stop());

const spent = (): boolean => provider.newest(grant.grantId)?.refreshToken !== grant.refreshToken;

const beforeCommit: [string, Behaviour, number][] = [
  ['status 503', { kind: 'status', status: 503 }, 503],
  ['invalid_grant under 400', { kind: 'invalid-grant' }, 400],
  ['invalid_grant under 403', { kind: 'invalid-grant', status: 403 }, 403],
  ['invalid_client under 401', { kind: 'invalid-client' }, 401],
  ['invalid_client under 400', { kind: 'invalid-client', status: 400 }, 400],
  ['an error under 200', { kind: 'error-in-200', error: 'bad_refresh_token' }, 200],
  ['a redirect', { kind: 'redirect' }, 302],
];

test.each(beforeCommit)('%s leaves the refresh token good', async (_name, behaviour, status) => {
  provider.next(behaviour);
  expect((await refreshByHand(grant)).status).toBe(status);
  expect(spent()).toBe(false);
  expect((await refreshByHand(grant)).status).toBe(200);
  expect(provider.account).toMatchObject({ presentedTwice: 0, presentedAgain: 1, refreshes: 1 });
});

test('a wait can be asked for in seconds or by date', async () => {
  const date = new Date(Date.now() + 5000);
  provider.next({ kind: 'status', status: 429, retryAfter: 7 });
  provider.next({ kind: 'status', status: 503, retryAfter: date });
  expect((await refreshByHand(grant)).headers.get('retry-after')).toBe('7');
  expect((await refreshByHand(grant)).headers.get('retry-after')).toBe(date.toUTCString());
});

const lost: [string, Behaviour][] = [
  ['a status after the commit', { kind: 'status', status: 500, afterCommit: true }],
  ['a lost answer', { kind: 'lose-answer' }],
  ['a body cut short', { kind: 'cut-body' }],
  ['garbage', { kind: 'garbage' }],
  ['an empty answer', { kind: 'empty' }],
];

test.each(lost)('%s leaves the client without tokens and the refresh token spent', async (_name, behaviour) => {
  provider.next(behaviour);
  const tokens = await refreshByHand(grant).then(fieldsOf).catch(() => null);
  expect(tokens).toBeNull();
  expect(spent()).toBe(true);
});

test.each(beforeCommit)('%s is an answer, and says whether the refresh took place', async (_name, behaviour) => {
  provider.next(behaviour);
  await refreshByHand(grant);
  await expect.poll(() => provider.account.presentations).toMatchObject([{ behaviour: behaviour.kind, answeredAt: expect.any(Number) as number }]);
});

test.each(lost)('%s is no answer that says what became of the refresh', async (_name, behaviour) => {
  provider.next(behaviour);
  await refreshByHand(grant).catch(() => null);
  await refreshByHand({ ...grant, refreshToken: provider.newest(grant.grantId)?.refreshToken ?? '' });
  await expect.poll(() => provider.account.presentations).toMatchObject([{ behaviour: behaviour.kind }, { answeredAt: expect.any(Number) as number }]);
  expect(provider.account.presentations.map((presentation) => 'answeredAt' in presentation)).toEqual([false, true]);
});

test('an answer to a client that has gone was not given', async () => {
  provider.next({ kind: 'slow', ms: 100 });
  provider.next({ kind: 'slow', ms: 200 });
  const gone = new AbortController();
  const asked = refreshByHand(grant, gone.signal).catch(() => null);
  await expect.poll(spent).toBe(true);
  gone.abort();
  await asked;
  await refreshByHand({ ...grant, refreshToken: provider.newest(grant.grantId)?.refreshToken ?? '' });
  const whichAnswered = (): boolean[] => provider.account.presentations.map((presentation) => 'answeredAt' in presentation);
  await expect.poll(whichAnswered).toEqual([false, true]);
});

test('a dropped request spends nothing', async () => {
  provider.next({ kind: 'drop-request' });
  await expect(refreshByHand(grant)).rejects.toThrow();
  expect(spent()).toBe(false);
  expect(provider.account.presentations).toMatchObject([{ outcome: 'held off' }]);
});

test('a hanging request has committed, and is answered when released', async () => {
  provider.next({ kind: 'hang' });
  const answer = refreshByHand(grant);
  await expect.poll(spent).toBe(true);
  expect(await Promise.race([answer, Promise.resolve('hanging')])).toBe('hanging');
  provider.release();
  expect((await answer).status).toBe(200);
});

test('a request can hang without committing', async () => {
  provider.next({ kind: 'hang', commits: false });
  const answer = refreshByHand(grant);
  await expect.poll(() => provider.account.presentations.length).toBe(1);
  provider.clear();
  expect((await answer).status).toBe(503);
  expect(spent()).toBe(false);
});

test.each<Behaviour>([{ kind: 'slow', ms: 120 }, { kind: 'trickle', ms: 120 }])('$kind takes its time and arrives whole', async (behaviour) => {
  provider.next(behaviour);
  const startedAt = performance.now();
  expect(fieldsOf(await refreshByHand(grant)).token_type).toBe('Bearer');
  expect(performance.now() - startedAt).toBeGreaterThan(100);
});

test('while it is down it refuses connections; it comes back on the same port', async () => {
  const { port } = provider;
  await provider.goDown();
  await expect(refreshByHand(grant)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  expect(provider.account.outages).toEqual([{ from: expect.any(Number) as number, until: Infinity }]);
  await provider.comeBack();
  expect(provider.account.outages[0]?.until).toBeGreaterThanOrEqual(provider.account.outages[0]?.from ?? Infinity);
  expect(provider.port).toBe(port);
  expect((await refreshByHand(grant)).status).toBe(200);
});

test('an answer can be form-encoded', async () => {
  provider.next({ kind: 'form-encoded' });
  const answer = await refreshByHand(grant);
  expect(answer.headers.get('content-type')).toBe('application/x-www-form-urlencoded');
  expect(new URLSearchParams(answer.text).get('refresh_token')).toBe(provider.newest(grant.grantId)?.refreshToken);
});

test('an answer can carry the wrong content type, or more than a megabyte', async () => {
  provider.next({ kind: 'content-type', value: 'text/plain' });
  const first = await refreshByHand(grant);
  expect(first.headers.get('content-type')).toBe('text/plain');
  provider.next({ kind: 'oversized' });
  const second = await refreshByHand({ ...grant, refreshToken: fieldsOf(first).refresh_token ?? '' });
  expect(second.text.length).toBeGreaterThan(1 << 20);
});

test('a refresh token that is left out of the answer leaves the presented one good', async () => {
  provider.next({ kind: 'omit', field: 'refresh_token' });
  expect(fieldsOf(await refreshByHand(grant)).refresh_token).toBeUndefined();
  expect(fieldsOf(await refreshByHand(grant)).refresh_token).toBeDefined();
});

test('expires_in can be left out or written in many ways', async () => {
  const ways = ['string', 'float', 'negative', 'zero', 'huge', 'text', 'null'] as const;
  for (const as of ways) provider.next({ kind: 'expires-in', as });
  provider.next({ kind: 'omit', field: 'expires_in' });
  const seen: unknown[] = [];
  let { refreshToken } = grant;
  for (let i = 0; i <= ways.length; i++) {
    const fields = fieldsOf(await refreshByHand({ ...grant, refreshToken }));
    seen.push(fields.expires_in);
    refreshToken = fields.refresh_token ?? '';
  }
  expect(seen).toEqual(['20', 20.5, -1, 0, 1e18, 'soon', null, undefined]);
});

test('tokens can have eight kilobytes', async () => {
  provider.next({ kind: 'long-tokens' });
  const fields = fieldsOf(await refreshByHand(grant));
  expect([fields.access_token.length, fields.refresh_token?.length]).toEqual([8192, 8192]);
  expect(provider.isLive(fields.access_token).known).toBe(true);
});

test('the access token that is out can be given again', async () => {
  provider.next({ kind: 'same-access-token' });
  const fields = fieldsOf(await refreshByHand(grant));
  expect(fields.access_token).toBe(grant.accessToken);
  expect(fields.refresh_token).not.toBe(grant.refreshToken);
});

test('a behaviour can be for one grant, for a number of times, or for good', async () => {
  const other = provider.createGrant();
  provider.next({ kind: 'status', status: 500 }, { grantId: grant.grantId, times: 2 });
  provider.always({ kind: 'status', status: 502 }, { grantId: grant.grantId });
  expect((await refreshByHand(other)).status).toBe(200);
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push((await refreshByHand(grant)).status);
  expect(statuses).toEqual([500, 500, 502, 502]);
  provider.clear();
  expect((await refreshByHand(grant)).status).toBe(200);
});

test('what was ordered tells how often it was met, and is met no more once it is withdrawn', async () => {
  const other = provider.createGrant();
  const ordered = provider.next({ kind: 'status', status: 503 }, { times: 3 });
  expect(ordered.met).toBe(0);
  for (const status of [503, 503]) expect((await refreshByHand(grant)).status).toBe(status);
  expect(ordered.met).toBe(2);
  ordered.withdraw();
  expect((await refreshByHand(other)).status).toBe(200);
  expect(ordered.met).toBe(2);
});

test('a function that chooses is asked before anything is committed, and told from which port the request came', async () => {
  let [port, isSpent] = [0, true];
  provider.always(({ clientPort }) => {
    [port, isSpent] = [clientPort ?? 0, spent()];
    return null;
  });
  await refreshByHand(grant);
  expect(port).toBeGreaterThan(0);
  expect([isSpent, spent()]).toEqual([false, true]);
});

test('a function can choose the behaviour', async () => {
  const other = provider.createGrant();
  provider.always(({ grantId }) => (grantId === other.grantId ? { kind: 'status', status: 500 } : null));
  expect((await refreshByHand(other)).status).toBe(500);
  expect((await refreshByHand(grant)).status).toBe(200);
});
