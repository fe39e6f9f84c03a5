import { once } from 'node:events';
import { Agent, get as httpGet, createServer } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';

import { afterEach, describe, expect, test } from 'vitest';

import { Listener } from '../../src/http/listener.ts';
import type { ListenerOptions } from '../../src/http/listener.ts';
import { KeptLog, emptyPool, runApp, sendRaw } from './running-app.ts';

const running: Listener[] = [];
const clean: (() => void)[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((listener) => listener.stop()));
  for (const step of clean.splice(0)) step();
});

function listenerFor(app: RequestListener, options: Partial<ListenerOptions> = {}): Listener {
  const listener = new Listener({ name: 'application', connector: { type: 'http', port: 0, bindHost: '127.0.0.1' }, app, graceMs: 15_000, log: new KeptLog(), ...options });
  running.push(listener);
  return listener;
}

const hello: RequestListener = (_request, response) => { response.end('hello'); };

/** A caller that keeps its connection, as those behind a load balancer do. */
async function keptAlive(port: number): Promise<{ get(): Promise<IncomingMessage> }> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  clean.push(() => { agent.destroy(); });
  const get = async (): Promise<IncomingMessage> => {
    const [response] = (await once(httpGet({ agent, port, host: '127.0.0.1' }), 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    return response;
  };
  await get();
  return { get };
}

describe('a listener that cannot start says what to do', () => {
  test('about a port in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    clean.push(() => { other.close(); });
    const { port } = other.address() as AddressInfo;
    await expect(listenerFor(hello, { connector: { type: 'http', port, bindHost: '127.0.0.1' } }).start())
      .rejects.toThrow(`The application port ${port} cannot be opened: it is in use on 127.0.0.1. Stop the program that holds it, or give the connector another port`);
  });

  test('about an address that is not of this machine', async () => {
    await expect(listenerFor(hello, { connector: { type: 'http', port: 0, bindHost: '192.0.2.1' } }).start()).rejects.toThrow('bindHost 192.0.2.1 is no address of this machine');
  });

  test('and may be stopped all the same', async () => {
    const listener = listenerFor(hello, { connector: { type: 'http', port: 0, bindHost: '192.0.2.1' } });
    await expect(listener.start()).rejects.toThrow();
    await listener.stop();
    expect(() => listener.address()).toThrow('not listening');
  });
});

describe('a listener that stops', () => {
  test('takes no new connection', async () => {
    const listener = listenerFor(hello);
    await listener.start();
    const { port } = listener.address();
    await listener.stop();
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  });

  test('lets a request under way end, and tells its caller to close the connection', async () => {
    const reached = Promise.withResolvers<undefined>();
    const gate = Promise.withResolvers<undefined>();
    const listener = listenerFor((_request, response) => {
      reached.resolve(undefined);
      void gate.promise.then(() => response.end('late'));
    });
    await listener.start();
    const response = fetch(`http://127.0.0.1:${listener.address().port}/`);
    await reached.promise;
    const stopped = listener.stop();
    gate.resolve(undefined);
    expect(await (await response).text()).toBe('late');
    expect((await response).headers.get('connection')).toBe('close');
    await stopped;
  });

  test('answers a request that comes on a connection opened before, and closes it then', async () => {
    const listener = listenerFor(hello);
    await listener.start();
    const { port } = listener.address();
    const early = connect(port, '127.0.0.1');
    await once(early, 'connect');
    await fetch(`http://127.0.0.1:${port}/`); // Connections are taken in order: the early one is now known to the server.
    const stopped = listener.stop();
    early.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const [chunk] = (await once(early, 'data')) as [Buffer];
    expect(chunk.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n.*Connection: close\r\n.*hello$/s);
    await stopped;
  });

  test('does not wait for connections that are idle or were never used', async () => {
    const listener = listenerFor(hello);
    await listener.start();
    const { port } = listener.address();
    await keptAlive(port);
    const unused = connect(port, '127.0.0.1').on('error', () => undefined);
    await once(unused, 'connect');
    const begun = performance.now();
    await listener.stop();
    expect(performance.now() - begun).toBeLessThan(8000);
  });

  test('closes a connection whose answer had begun before, as soon as it is done', async () => {
    const gate = Promise.withResolvers<undefined>();
    const listener = listenerFor((_request, response) => {
      response.write('first half, ');
      void gate.promise.then(() => response.end('second half'));
    });
    await listener.start();
    const response = await fetch(`http://127.0.0.1:${listener.address().port}/`);
    const begun = performance.now();
    const stopped = listener.stop();
    gate.resolve(undefined);
    expect(await response.text()).toBe('first half, second half');
    await stopped;
    expect(performance.now() - begun).toBeLessThan(8000);
  });

  test('cuts off what is not done when the grace is over', async () => {
    const reached = Promise.withResolvers<undefined>();
    const listener = listenerFor(() => { reached.resolve(undefined); }, { graceMs: 100 });
    await listener.start();
    const response = fetch(`http://127.0.0.1:${listener.address().port}/`);
    const failed = expect(response).rejects.toThrow();
    await reached.promise;
    await listener.stop();
    await failed;
  });

  test('may be stopped twice, before its start, and started again', async () => {
    const listener = listenerFor(hello);
    await listener.stop();
    await listener.start();
    await Promise.all([listener.stop(), listener.stop()]);
    await listener.stop();
    await listener.start();
    expect(await (await fetch(`http://127.0.0.1:${listener.address().port}/`)).text()).toBe('hello');
  });

  test('has let callers reuse their connection until then', async () => {
    const ports = new Set<number | undefined>();
    const listener = listenerFor((request, response) => { ports.add(request.socket.remotePort); response.end('x'); });
    await listener.start();
    const caller = await keptAlive(listener.address().port);
    expect((await caller.get()).headers['keep-alive']).toBe('timeout=75');
    expect(ports.size).toBe(1);
  });
});

describe('a listener that is retired', () => {
  test('goes on answering, on new connections too, and has every caller close its connection after the answer', async () => {
    const listener = listenerFor(hello);
    await listener.start();
    const { port } = listener.address();
    const caller = await keptAlive(port);
    listener.retire();
    expect((await caller.get()).headers.connection).toBe('close');
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close']);
    await listener.stop();
  });

  test('says so in an answer that was under way, too', async () => {
    const [reached, gate] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const listener = listenerFor((_request, response) => {
      reached.resolve(undefined);
      void gate.promise.then(() => response.end('late'));
    });
    await listener.start();
    const response = fetch(`http://127.0.0.1:${listener.address().port}/`);
    await reached.promise;
    listener.retire();
    gate.resolve(undefined);
    expect((await response).headers.get('connection')).toBe('close');
  });
});

describe('what is no proper request', () => {
  test.each([
    ['text', 'hello there\r\n\r\n', /^HTTP\/1\.1 400 .*TP0003:Input Parameter Error \(this is not an HTTP request\)$/s],
    ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', /^HTTP\/1\.1 400 /],
    ['headers of 70 KB', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`, /^HTTP\/1\.1 431 .*too long\)$/s],
    ['a length that is none', 'PUT /tokenservice/restart/a HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['two lengths', 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', /^HTTP\/1\.1 400 /],
  ])('%s is answered in words and the service lives on', async (_what, bytes, answer) => {
    const app = await runApp(emptyPool({ acquire: async () => 'alive' }));
    running.push(app.listener);
    expect(await sendRaw(app.port, bytes)).toMatch(answer);
    expect(await (await fetch(`${app.url}/tokenservice/gw1`)).text()).toBe('alive');
  });

  test('nothing is mixed into an answer that is on its way', async () => {
    const listener = listenerFor((_request, response) => { response.write('half an answer'); });
    await listener.start();
    const socket = connect(listener.address().port, '127.0.0.1').setEncoding('latin1');
    let text = '';
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('half an answer')) socket.write('no request\r\n\r\n');
    });
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'close');
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  test('a connection that is reset hurts nobody', async () => {
    const app = await runApp(emptyPool({ acquire: async () => 'alive' }));
    running.push(app.listener);
    const socket = connect(app.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET /tokenservice/');
    socket.resetAndDestroy();
    await once(socket, 'close');
    expect(await (await fetch(`${app.url}/tokenservice/gw1`)).text()).toBe('alive');
  });

  test('an address of 40 KB is none of them, since it may carry a token', async () => {
    const app = await runApp(emptyPool({ refresh: async (_owner, token) => String(token.length) }));
    running.push(app.listener);
    expect(await (await fetch(`${app.url}/tokenservice/refresh/gw1/${'t'.repeat(40_000)}`, { method: 'PUT' })).text()).toBe('40000');
  });

  test.each([
    ['announced', { body: 'x'.repeat(70_000) }],
    ['sent in pieces', { body: new ReadableStream({ start(body) { body.enqueue(Buffer.alloc(70_000)); body.close(); } }), duplex: 'half' }],
  ])('a body over 64 KB, %s, is refused with 413', async (_how, init) => {
    const app = await runApp(emptyPool({ restart: (_owner, signal) => new Promise((resolve) => { signal.addEventListener('abort', () => { resolve(); }); }) }));
    running.push(app.listener);
    const response = await fetch(`${app.url}/tokenservice/restart/gw1`, { method: 'PUT', ...init } as RequestInit);
    expect([response.status, await response.text()]).toEqual([413, 'TP0003:Input Parameter Error (no call here takes a body, and this one is over 64 KB)']);
  });
});
