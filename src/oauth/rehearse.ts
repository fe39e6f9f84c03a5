import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { Secret } from '../domain/secret.ts';
import type { TokenEndpoint } from './token-endpoint.ts';

/** The first loads what it needs; the others let it be compiled. */
const times = 3;
const granted = JSON.stringify({ access_token: 'rehearsed', token_type: 'Bearer', expires_in: 1, refresh_token: 'rehearsed too' });

/**
 * Makes requests to a server of its own on this machine's loopback, which is closed again: what a first request has to load and to
 * compile, but for TLS, is there afterwards, since somebody waits for the first refresh of a new master.
 */
export async function rehearse(endpoint: Pick<TokenEndpoint, 'refresh'>): Promise<void> {
  const server = createServer((_request, response) => { response.setHeader('content-type', 'application/json').end(granted); }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const tokenUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const credentials = { tokenUrl, auth: new Secret(Buffer.from('rehearsal:rehearsal').toString('base64')), refreshToken: new Secret('to be rehearsed') };
  try {
    for (let time = 0; time < times; time++) await endpoint.refresh(credentials, []);
  } finally {
    server.close();
  }
}
