import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, expect, it } from 'vitest';

import { untilServed } from './until-served.ts';

const servers: Server[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => new Promise((closed) => server.close(closed)))));

/** A node that refuses each owner so many times, or for ever, before it hands out a token. */
async function nodeThatRefuses(times: number): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer(({ url = '' }, answer) => {
    asked.push(url);
    answer.writeHead(asked.filter((other) => other === url).length > times ? 200 : 400).end();
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

it('waits for each owner at each node', async () => {
  const [early, late] = [await nodeThatRefuses(0), await nodeThatRefuses(2)];
  await untilServed([early.url, late.url], ['a/ü', 'b']);
  expect([early.asked.length, late.asked.length]).toEqual([2, 6]);
  expect(new Set(late.asked)).toEqual(new Set(['/tokenservice/a%2F%C3%BC', '/tokenservice/b']));
});

it('names the node and the owner that it waited for in vain', async () => {
  const { url } = await nodeThatRefuses(Infinity);
  await expect(untilServed([url], ['b'], 100)).rejects.toThrow(`${url} hands out no token of "b"`);
});
