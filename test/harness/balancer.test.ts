import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { startBalancer } from './balancer.ts';
import type { Balancer } from './balancer.ts';

/** A node with readiness and answers of our choosing. */
class StandIn {
  readonly seen: string[] = [];
  ready: 'yes' | 'no' | 'silent' = 'yes';
  answer: RequestListener = (_request, response) => { response.end(this.name); };
  readonly name: string;
  readonly #app: Server;
  readonly #admin: Server;

  constructor(name: string) {
    this.name = name;
    this.#app = createServer((request, response) => {
      this.seen.push(`${request.method} ${request.url}`);
      this.answer(request, response);
    });
    this.#admin = createServer((_request, response) => { if (this.ready !== 'silent') response.writeHead(this.ready === 'yes' ? 200 : 503).end(); });
  }

  get appUrl(): string {
    return urlOf(this.#app);
  }

  get adminUrl(): string {
    return urlOf(this.#admin);
  }

  async start(): Promise<void> {
    await Promise.all([this.#app, this.#admin].map((server) => new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); })));
  }

  /** As a process that is killed. */
  die(): void {
    for (const server of [this.#app, this.#admin]) {
      server.close();
      server.closeAllConnections();
    }
  }

  /** Only callers' connections break; the checks have not noticed yet. */
  dieUnnoticed(): void {
    this.#app.close();
    this.#app.closeAllConnections();
  }
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

let nodes: StandIn[] = [];
let balancer: Balancer;

async function start(count: number, options: { checkEveryMs?: number; checkTimeoutMs?: number } = {}): Promise<StandIn[]> {
  nodes = Array.from({ length: count }, (_, i) => new StandIn(`node ${i + 1}`));
  await Promise.all(nodes.map((node) => node.start()));
  const targets = nodes.map(({ appUrl, adminUrl }) => ({ appUrl, adminUrl }));
  balancer = await startBalancer({ targets, checkEveryMs: 20, ...options });
  return nodes;
}

afterEach(async () => {
  await balancer.stop();
  for (const node of nodes) node.die();
});

async function ask(path = '/tokenservice/acme', method = 'GET'): Promise<string> {
  const response = await fetch(balancer.url + path, { method });
  return `${response.status} ${await response.text()}`;
}

test('requests go to the nodes in turn, with path and answer as they are', async () => {
  const [one, two] = await start(2);
  const answers = [await ask('/a?b=c'), await ask(), await ask(), await ask()];
  expect(answers.sort()).toEqual(['200 node 1', '200 node 1', '200 node 2', '200 node 2']);
  expect([...(one?.seen ?? []), ...(two?.seen ?? [])]).toContain('GET /a?b=c');
  expect(balancer.report).toMatchObject({ requests: 4, resent: 0, unanswered: 0 });
});

test('a request to a node that has died is answered by another, and is counted', async () => {
  const [one] = await start(2, { checkEveryMs: 60_000 });
  one?.dieUnnoticed();
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask()));
  expect(new Set(answers)).toEqual(new Set(['200 node 2']));
  expect(balancer.report.resent).toBeGreaterThan(0);
  expect(balancer.report.unanswered).toBe(0);
});

test('a node that refused a connection is not asked until it is found ready', async () => {
  const [one] = await start(2, { checkEveryMs: 60_000 });
  if (one) one.ready = 'no';
  one?.dieUnnoticed();
  for (let i = 0; i < 6; i++) expect(await ask()).toBe('200 node 2');
  expect(balancer.report.resent).toBe(1);
  expect(balancer.report.targets.map(({ ejections }) => ejections)).toEqual([1, 0]);
});

test('a GET whose connection breaks before the first byte is sent to another node', async () => {
  const [one] = await start(2);
  if (one) one.answer = (request) => { request.socket.destroy(); };
  for (let i = 0; i < 4; i++) expect(await ask()).toBe('200 node 2');
  expect(balancer.report.resent).toBeGreaterThan(0);
});

test('a PUT whose connection breaks is not sent again', async () => {
  const [one, two] = await start(2);
  for (const node of [one, two]) if (node) node.answer = (request) => { request.socket.destroy(); };
  expect(await ask('/tokenservice/restart/acme', 'PUT')).toBe('502 no node answered');
  expect([...(one?.seen ?? []), ...(two?.seen ?? [])]).toEqual(['PUT /tokenservice/restart/acme']);
});

test('a PUT that was refused goes to another node', async () => {
  const [one] = await start(2, { checkEveryMs: 60_000 });
  one?.dieUnnoticed();
  for (let i = 0; i < 3; i++) expect(await ask('/x', 'PUT')).toBe('200 node 2');
});

test('a node that is not ready is not asked, and is again when it is', async () => {
  const [one, two] = await start(2);
  if (!one || !two) return;
  one.ready = 'no';
  await balancer.waitForHealthy(1);
  const before = one.seen.length;
  for (let i = 0; i < 4; i++) expect(await ask()).toBe('200 node 2');
  expect(one.seen.length).toBe(before);
  one.ready = 'yes';
  await balancer.waitForHealthy(2);
  expect(new Set([await ask(), await ask()]).size).toBe(2);
});

test('a node that drains finishes what it has begun', async () => {
  const [one] = await start(1);
  if (!one) return;
  const answerNow: PromiseWithResolvers<void> = Promise.withResolvers();
  one.answer = (_request, response) => { void answerNow.promise.then(() => response.end('late')); };
  const answer = ask();
  await expect.poll(() => one.seen.length).toBe(1);
  one.ready = 'no';
  await balancer.waitForHealthy(0);
  answerNow.resolve();
  expect(await answer).toBe('200 late');
});

test('what a silent node has been asked is asked of another', async () => {
  const [one, two] = await start(2, { checkTimeoutMs: 300 });
  if (!one || !two) return;
  one.ready = 'silent';
  one.answer = () => undefined;
  expect([await ask(), await ask()]).toEqual(['200 node 2', '200 node 2']);
  expect(balancer.report).toMatchObject({ unanswered: 0 });
});

test('an answer that breaks off in the middle breaks off for the caller', async () => {
  const [one] = await start(1);
  if (one) one.answer = (request, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('half', () => request.socket.destroy());
  };
  await expect(ask()).rejects.toThrow();
});

test('without any node the caller is told', async () => {
  const [one] = await start(1);
  one?.die();
  expect(await ask()).toBe('503 no node answered');
  expect(balancer.report.unanswered).toBe(1);
});

test('nodes come and go', async () => {
  const [one, two] = await start(2);
  if (!one || !two) return;
  balancer.remove(one);
  expect([await ask(), await ask()]).toEqual(['200 node 2', '200 node 2']);
  await balancer.add({ appUrl: one.appUrl, adminUrl: one.adminUrl });
  balancer.remove(two);
  expect(await ask()).toBe('200 node 1');
});
