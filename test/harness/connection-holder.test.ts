import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { holds, socketOf } from './connection-holder.ts';

let server: Server;
let client: Socket;
let port: number;

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
  client = connect(port, '127.0.0.1');
  await once(client, 'connect');
});

afterEach(() => {
  client.destroy();
  server.close();
});

describe('An end of a connection', () => {
  it('is held by the process that opened it', () => {
    const socket = socketOf(client.localPort!, port);
    expect(socket).toMatch(/^socket:\[[1-9]\d*\]$/);
    expect(holds(process.pid, socket!)).toBe(true);
  });

  it('is not held by another process', () => {
    expect(holds(process.ppid, socketOf(client.localPort!, port)!)).toBe(false);
  });

  it('is another than the far end', () => {
    expect(socketOf(port, client.localPort!)).not.toBe(socketOf(client.localPort!, port));
  });

  it('is none where there is no such connection', () => {
    expect(socketOf(client.localPort!, 1)).toBeUndefined();
  });

  it('is held by no process that has ended', () => {
    expect(holds(2 ** 22 + 1, 'socket:[1]')).toBe(false);
  });
});
