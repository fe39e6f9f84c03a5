import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { refreshRequest } from '../../src/oauth/refresh-request.ts';
import { Sender } from '../../src/oauth/send.ts';

const received: Buffer[] = [];
const accepted: Socket[] = [];
let server: Server;

beforeEach(async () => {
  received.length = 0;
  server = createServer((socket) => {
    accepted.push(socket);
    socket.on('data', (data: Buffer) => received.push(data)).on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  for (const socket of accepted.splice(0)) socket.destroy();
  server.close();
});

/** A sender whose fresh connection meets `fate` just when it stands. */
function senderWith(fate: (socket: Socket) => unknown): Sender {
  const open = async (): Promise<Socket> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined);
    await once(socket, 'connect');
    await fate(socket);
    return socket;
  };
  return new Sender({ connectTimeoutMs: 500, answerTimeoutMs: 500 }, { open });
}

const request = refreshRequest({ tokenUrl: 'http://login.example.org/token', auth: new Secret(btoa('client:secret')), refreshToken: new Secret('rt') });

describe('A request whose connection stands', () => {
  it.each<[string, (socket: Socket) => unknown]>([
    ['before', async (socket) => once(socket.destroy(), 'close')],
    ['while', (socket) => socket.destroy(new Error('broken'))],
  ])('has not left where the connection closes %s it is handed over', async (_moment, fate) => {
    expect(await senderWith(fate).send(request)).toEqual({ kind: 'not_left', detail: 'the connection was closed before the request was sent' });
    expect(received).toEqual([]);
  });

  it('may have left where the connection closes afterwards', async () => {
    const sending = senderWith(() => undefined).send(request);
    await expect.poll(() => received.length).toBe(1);
    accepted[0]?.resetAndDestroy();
    expect(await sending).toEqual({ kind: 'no_answer', status: null, detail: 'no whole answer (ECONNRESET)' });
  });

  it('may have left where the server closes its side at once', async () => {
    const sent = await senderWith(async (socket) => {
      await expect.poll(() => accepted.length).toBe(1);
      accepted[0]?.end();
      await once(socket, 'readable');
    }).send(request);
    expect(sent).toMatchObject({ kind: 'no_answer' });
  });

  it('may have left where nothing comes back in time', async () => {
    expect(await senderWith(() => undefined).send(request)).toEqual({ kind: 'no_answer', status: null, detail: 'no whole answer in time' });
    expect(Buffer.concat(received).toString()).toContain('refresh_token=rt');
  });
});
