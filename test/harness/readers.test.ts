import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { IssuedGrant } from './provider/judgement.ts';
import { startProvider } from './provider/provider.ts';
import type { Provider } from './provider/provider.ts';
import { refreshByHand } from './provider/refresh-by-hand.ts';
import { startReaders } from './readers.ts';
import type { EndedRead, ReadersOptions, ReadsReport } from './readers.ts';

let provider: Provider;
let grant: IssuedGrant;
const nodes: Server[] = [];

beforeEach(async () => {
  provider = await startProvider({ killsOldAccessToken: true });
  grant = provider.createGrant({ owner: 'acme/1' });
});

afterEach(async () => {
  await provider.stop();
  for (const node of nodes.splice(0)) {
    node.close();
    node.closeAllConnections();
  }
});

async function serve(answer: RequestListener): Promise<string> {
  const node = createServer(answer);
  nodes.push(node);
  await new Promise<void>((resolve) => { node.listen(0, '127.0.0.1', resolve); });
  return `http://127.0.0.1:${(node.address() as AddressInfo).port}`;
}

/** Reads until `enough` have been answered. */
async function read(urls: string[], enough: number, more: Partial<ReadersOptions> = {}): Promise<ReadsReport> {
  const readers = startReaders({ urls, owners: ['acme/1'], ratePerSecond: 200, judge: provider.isLive, ...more });
  await expect.poll(() => readers.report().reads).toBeGreaterThanOrEqual(enough);
  return readers.stop();
}

test('good tokens are read at the rate asked for, and nothing is reported', async () => {
  const paths = new Set<string | undefined>();
  const url = await serve((request, response) => {
    paths.add(request.url);
    response.end(grant.accessToken);
  });
  const startedAt = performance.now();
  const report = await read([url], 60, { waitMs: 15_000 });
  expect(performance.now() - startedAt).toBeGreaterThan(290);
  expect(report).toMatchObject({ failed: 0, expired: 0, revoked: 0, wrongOwner: 0, unknown: 0, waits: 0, movedOn: 0, failures: [] });
  expect(report.p50Ms).toBeGreaterThan(0);
  expect(report.slowestMs).toBeGreaterThanOrEqual(report.p50Ms);
  expect(paths).toEqual(new Set(['/tokenservice/acme%2F1']));
});

test('a token that was revoked before the read was sent is a fault, and is shown by its fingerprint only', async () => {
  await refreshByHand(grant);
  const report = await read([await serve((_request, response) => response.end(grant.accessToken))], 5);
  expect(report.revoked).toBe(report.reads);
  expect(report.failed).toBe(report.reads);
  expect(report.failures[0]).toMatchObject({ status: 200, why: 'revoked', token: expect.stringMatching(/^[0-9a-f]{12}$/) as string });
  expect(JSON.stringify(report)).not.toContain(grant.accessToken);
});

test('a token that is revoked while the answer is under way is none', async () => {
  let revoke: (() => void) | null = () => { provider.revokeAccessToken(grant.accessToken); };
  const url = await serve((_request, response) => {
    // The judge counts whole milliseconds.
    setTimeout(() => {
      revoke?.();
      revoke = null;
      response.end(grant.accessToken);
    }, 5);
  });
  const report = await read([url], 1, { ratePerSecond: 5 });
  expect(report.revoked).toBe(report.reads - 1);
});

test('an expired token, the token of another and a made-up one are told apart', async () => {
  const other = provider.createGrant({ owner: 'other' });
  const answers = [other.accessToken, 'made up'];
  const url = await serve((_request, response) => response.end(answers.shift() ?? grant.accessToken));
  const report = await read([url], 4, { judge: (token, at = Date.now()) => provider.isLive(token, token === grant.accessToken ? at + 3_600_001 : at) });
  expect(report).toMatchObject({ wrongOwner: 1, unknown: 1, expired: report.reads - 2, failed: report.reads });
  expect(report.failures.slice(0, 3).map(({ why }) => why)).toEqual(['wrongOwner', 'unknown', 'expired']);
});

test('every read is told of, with the node that a balancer names', async () => {
  const ended: EndedRead[] = [];
  const answers: [number, string][] = [[200, grant.accessToken], [200, 'made up'], [400, 'TPS0005:NO pool entry for this Owner']];
  const url = await serve((_request, response) => {
    const [status, body] = answers[0]!;
    if (answers.length > 1) answers.shift();
    response.writeHead(status, { 'x-served-by': '10.0.0.1:8181' }).end(body);
  });
  const report = await read([url], 3, { atOnce: 1, ratePerSecond: 50, onRead: (each) => ended.push(each) });
  expect(ended).toHaveLength(report.reads);
  expect(ended.slice(0, 3)).toMatchObject([
    { owner: 'acme/1', servedBy: '10.0.0.1:8181', status: 200, why: undefined, token: { text: grant.accessToken, judgement: { known: true, grantId: grant.grantId } } },
    { status: 200, why: 'unknown', token: { text: 'made up', judgement: { known: false } } },
    { status: 400, why: 'TPS0005', token: undefined },
  ]);
  for (const { sentAt, endedAt } of ended) expect(endedAt).toBeGreaterThanOrEqual(sentAt);
});

test('a refusal is reported with the code of the service', async () => {
  const url = await serve((_request, response) => response.writeHead(400).end('TPS0005:NO pool entry for this Owner'));
  const report = await read([url], 30);
  expect(report.failed).toBe(report.reads);
  expect(report.failures).toHaveLength(20);
  expect(report.failures[0]).toMatchObject({ status: 400, why: 'TPS0005', url: `${url}/tokenservice/acme%2F1` });
});

test('a node that is gone or breaks the connection is followed by the next, and that is no failure', async () => {
  const breaking = await serve((request) => request.socket.destroy());
  const good = await serve((_request, response) => response.end(grant.accessToken));
  const report = await read(['http://127.0.0.1:1', breaking, good], 9);
  expect(report.failed).toBe(0);
  expect(report.movedOn).toBeGreaterThanOrEqual(report.reads - 1);
});

test('when no node answers the read has failed', async () => {
  const ended: EndedRead[] = [];
  const report = await read(['http://127.0.0.1:1', 'http://127.0.0.1:1'], 3, { onRead: (each) => ended.push(each) });
  expect(ended[0]).toMatchObject({ servedBy: undefined, status: null, why: 'ECONNREFUSED', token: undefined });
  expect(report.failed).toBe(report.reads);
  expect(report.failures[0]).toMatchObject({ status: null, why: 'ECONNREFUSED' });
});

test('a slow answer is a wait; none in time is a failure', async () => {
  const slow = await serve((_request, response) => void setTimeout(() => response.end(grant.accessToken), 40));
  expect(await read([slow], 3, { waitMs: 30 })).toMatchObject({ failed: 0, waits: expect.toSatisfy((waits: number) => waits >= 3) as number });
  const silent = await serve(() => undefined);
  const report = await read([silent], 3, { timeoutMs: 30 });
  expect(report.failures[0]).toMatchObject({ status: null, why: 'ETIMEDOUT' });
});

test('beyond the reads allowed at once the rest is held back', async () => {
  const slow = await serve((_request, response) => void setTimeout(() => response.end(grant.accessToken), 40));
  expect((await read([slow], 4, { atOnce: 2, ratePerSecond: 1000 })).late).toBeGreaterThan(0);
});
