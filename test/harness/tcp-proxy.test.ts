import { createServer, connect } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTcpProxy } from './tcp-proxy.ts';
import type { TcpProxy } from './tcp-proxy.ts';

let server: Server;
let proxy: TcpProxy;
/** All that reached the server, which sends everything back. */
let arrived = '';

beforeEach(async () => {
  arrived = '';
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      arrived += bytes.toString();
      socket.write(bytes);
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  proxy = await startTcpProxy((server.address() as AddressInfo).port);
});

afterEach(async () => {
  await proxy.stop();
  await new Promise((resolve) => { server.close(resolve); });
});

class Client {
  readonly socket: Socket;
  heard = '';
  ended: string | null = null;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (bytes) => { this.heard += bytes.toString(); });
    this.socket.on('end', () => { this.ended ??= 'end'; });
    this.socket.on('error', (error: NodeJS.ErrnoException) => { this.ended = error.code ?? 'error'; });
  }
}

async function connected(): Promise<Client> {
  const client = new Client(proxy.port);
  client.socket.write('a');
  await expect.poll(() => client.heard).toBe('a');
  return client;
}

test('bytes and the end of a connection pass in both directions', async () => {
  const client = await connected();
  client.socket.end('b');
  await expect.poll(() => client.heard).toBe('ab');
  await expect.poll(() => client.ended).toBe('end');
  await expect.poll(() => proxy.connections).toBe(0);
});

test('a cut ends every connection and refuses new ones until restored on the same port', async () => {
  const client = await connected();
  const { port } = proxy;
  await proxy.cut();
  await expect.poll(() => client.ended).not.toBeNull();
  const refused = new Client(port);
  await expect.poll(() => refused.ended).toBe('ECONNREFUSED');
  await proxy.restore();
  expect(proxy.port).toBe(port);
  await connected();
});

test('a reset is seen as one, and new connections are welcome', async () => {
  const client = await connected();
  proxy.reset();
  await expect.poll(() => client.ended).toBe('ECONNRESET');
  await connected();
});

test('a black hole to the server keeps what was sent until restored', async () => {
  const client = await connected();
  proxy.blackHole('toServer');
  client.socket.write('b');
  await passed(50);
  expect([arrived, client.heard, client.ended]).toEqual(['a', 'a', null]);
  await proxy.restore();
  await expect.poll(() => client.heard).toBe('ab');
});

test('a black hole to the client lets commands through and keeps their answers', async () => {
  const client = await connected();
  proxy.blackHole('toClient');
  client.socket.write('b');
  await expect.poll(() => arrived).toBe('ab');
  expect(client.heard).toBe('a');
  await proxy.restore();
  await expect.poll(() => client.heard).toBe('ab');
});

test('a command reaches the server after its client has given up', async () => {
  const client = await connected();
  proxy.blackHole();
  client.socket.write('late');
  client.socket.destroy();
  await passed(50);
  expect(arrived).toBe('a');
  await proxy.restore();
  await expect.poll(() => arrived).toBe('alate');
  await expect.poll(() => proxy.connections).toBe(0);
});

test('a connection made in a black hole hears nothing until restored', async () => {
  proxy.blackHole();
  const client = new Client(proxy.port);
  client.socket.write('a');
  await passed(50);
  expect([arrived, client.ended]).toEqual(['', null]);
  await proxy.restore();
  await expect.poll(() => client.heard).toBe('a');
});

test('a delay holds for each direction and keeps the order', async () => {
  const client = await connected();
  proxy.delay(60);
  const startedAt = performance.now();
  for (const letter of 'bcd') client.socket.write(letter);
  await expect.poll(() => client.heard, { interval: 5 }).toBe('abcd');
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(119);
});

test('a client hears of a server that is not there', async () => {
  const orphan = await startTcpProxy(1);
  const client = new Client(orphan.port);
  await expect.poll(() => client.ended).toBe('ECONNRESET');
  await orphan.stop();
});

/** That nothing arrives can only be seen by letting time pass. */
async function passed(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
