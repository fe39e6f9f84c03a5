import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { gzipSync } from 'node:zlib';

import { afterEach, describe, expect, it } from 'vitest';

import type { TokenAnswer } from '../../src/domain/refresh-outcome.ts';
import { Secret } from '../../src/domain/secret.ts';
import { TokenEndpoint } from '../../src/oauth/token-endpoint.ts';
import type { Behaviour } from '../harness/provider/behaviour.ts';
import { createCertificateAuthority } from '../harness/provider/certificate.ts';
import type { IssuedGrant } from '../harness/provider/judgement.ts';
import { startProvider, type Provider, type ProviderOptions } from '../harness/provider/provider.ts';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

const credentials = (tokenUrl: string) => ({ tokenUrl, auth: new Secret(btoa('client:secret-of-client')), refreshToken: new Secret('refresh-token-sent') });

async function provide(options: ProviderOptions = {}): Promise<{ provider: Provider; grant: IssuedGrant }> {
  const provider = await startProvider(options);
  cleanUp.push(() => provider.stop());
  return { provider, grant: provider.createGrant() };
}

async function trusting(caPem: string | null): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tps-ca-'));
  cleanUp.push(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'ca.pem'), caPem ?? '');
  return join(folder, 'ca.pem');
}

function refresh(grant: Pick<IssuedGrant, 'tokenUrl' | 'tokenAuth' | 'refreshToken'>, options: { extraCaFile?: string; answerTimeoutMs?: number } = {}): Promise<TokenAnswer> {
  const endpoint = new TokenEndpoint({ connectTimeoutMs: 2000, answerTimeoutMs: 2000, ...options });
  return endpoint.refresh({ tokenUrl: grant.tokenUrl, auth: new Secret(grant.tokenAuth), refreshToken: new Secret(grant.refreshToken) }, [502]);
}

async function listen<S extends Server | ReturnType<typeof createTcpServer>>(server: S): Promise<{ server: S; url: string }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => server.close());
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token` };
}

const ask = (url: string): Promise<TokenAnswer> => new TokenEndpoint({ connectTimeoutMs: 500, answerTimeoutMs: 500 }).refresh(credentials(url), []);

describe('A refresh at a provider', () => {
  it('brings the rotated tokens', async () => {
    const { provider, grant } = await provide();
    const answer = await refresh(grant);
    if (answer.kind !== 'granted') throw new Error(answer.detail);
    const newest = provider.newest(grant.grantId);
    expect([answer.grant.accessToken.reveal(), answer.grant.refreshToken?.reveal()]).toEqual([newest?.accessToken, newest?.refreshToken]);
    expect(answer.grant.validityMs).toBe(3_600_000);
  });

  it('is sent as RFC 6749 section 6 describes, over a connection of its own', async () => {
    const seen: IncomingMessage[] = [];
    const ports = new Set<number | undefined>();
    const bodies: string[] = [];
    const { url } = await listen(createServer((request, response) => {
      seen.push(request);
      ports.add(request.socket.remotePort);
      request.setEncoding('utf8').on('data', (text: string) => bodies.push(text)).on('end', () => response.end('{"access_token":"at"}'));
    }));
    await ask(`${url}?tenant=1`);
    await ask(`${url}?tenant=1`);
    const [first] = seen;
    expect(first).toMatchObject({ method: 'POST', url: '/token?tenant=1' });
    expect(first?.headers).toMatchObject({ accept: 'application/json', authorization: `Basic ${btoa('client:secret-of-client')}`, 'content-type': 'application/x-www-form-urlencoded' });
    expect(bodies[0]).toBe('grant_type=refresh_token&refresh_token=refresh-token-sent');
    expect(ports.size).toBe(2);
  });

  it.each<[Behaviour, object]>([
    [{ kind: 'form-encoded' }, { kind: 'granted' }],
    [{ kind: 'content-type', value: 'text/plain' }, { kind: 'granted' }],
    [{ kind: 'omit', field: 'token_type' }, { kind: 'granted' }],
    [{ kind: 'omit', field: 'refresh_token' }, { kind: 'granted', grant: { refreshToken: null } }],
    [{ kind: 'long-tokens' }, { kind: 'granted' }],
    [{ kind: 'trickle', ms: 200 }, { kind: 'granted' }],
    [{ kind: 'omit', field: 'access_token' }, { kind: 'in_doubt', status: 200 }],
    [{ kind: 'garbage' }, { kind: 'in_doubt', status: 200 }],
    [{ kind: 'empty' }, { kind: 'in_doubt', status: 200 }],
    [{ kind: 'oversized' }, { kind: 'in_doubt', status: 200, detail: 'the answer is longer than 1 MiB' }],
    [{ kind: 'cut-body' }, { kind: 'in_doubt', status: 200 }],
    [{ kind: 'lose-answer' }, { kind: 'in_doubt', status: null }],
    [{ kind: 'drop-request' }, { kind: 'in_doubt', status: null }],
    [{ kind: 'status', status: 500 }, { kind: 'in_doubt', status: 500 }],
    [{ kind: 'status', status: 502 }, { kind: 'unavailable', status: 502 }],
    [{ kind: 'status', status: 429, retryAfter: 7 }, { kind: 'unavailable', status: 429, retryAfterMs: 7000 }],
    [{ kind: 'invalid-grant', description: 'expired' }, { kind: 'invalid_grant', status: 400 }],
    [{ kind: 'invalid-client' }, { kind: 'invalid_client', status: 401 }],
    [{ kind: 'error-in-200', error: 'bad_refresh_token' }, { kind: 'invalid_grant', status: 200 }],
    [{ kind: 'redirect' }, { kind: 'refused', status: 302 }],
  ])('that meets %j presents the token once and is %j', async (behaviour, expected) => {
    const { provider, grant } = await provide();
    provider.next(behaviour);
    expect(await refresh(grant)).toMatchObject(expected);
    expect(provider.account.presentations).toHaveLength(1);
  });

  it('that is not answered in time is in doubt', async () => {
    const { provider, grant } = await provide();
    provider.next({ kind: 'hang' });
    expect(await refresh(grant, { answerTimeoutMs: 200 })).toEqual({ kind: 'in_doubt', status: null, detail: 'no whole answer in time' });
    expect(provider.account.presentations).toHaveLength(1);
  });

  it('that cannot be made from the row is unreachable', async () => {
    const { grant } = await provide();
    expect(await refresh({ ...grant, tokenAuth: 'x' })).toEqual({ kind: 'unreachable', detail: 'TPS0019:Invalid Authentication Header at the db' });
  });
});

describe('An endpoint over TLS', () => {
  it('is trusted by the authorities of the extra file', async () => {
    const { provider, grant } = await provide({ tls: 'trusted' });
    expect(await refresh(grant, { extraCaFile: await trusting(provider.caPem) })).toMatchObject({ kind: 'granted' });
  });

  it('that is not trusted gets not a byte of the request', async () => {
    const { provider, grant } = await provide({ tls: 'untrusted' });
    const answer = await refresh(grant, { extraCaFile: await trusting(provider.caPem) });
    expect(answer).toEqual({ kind: 'unreachable', detail: 'the issuer of the certificate is not trusted (UNABLE_TO_VERIFY_LEAF_SIGNATURE)' });
    expect(provider.account.presentations).toEqual([]);
  });

  it('that is for another host gets not a byte of the request', async () => {
    const authority = createCertificateAuthority('Test Authority');
    const { certPem, keyPem } = authority.issue(['elsewhere.example.org']);
    let received = 0;
    const server = createTlsServer({ cert: certPem, key: keyPem }, (socket) => socket.on('data', (data: Buffer) => (received += data.length)).on('error', () => undefined));
    const { url } = await listen(server);
    const endpoint = new TokenEndpoint({ connectTimeoutMs: 2000, answerTimeoutMs: 2000, extraCaFile: await trusting(authority.caPem) });
    const closed = once(server, 'connection').then(([socket]) => once(socket as Socket, 'close'));
    const answer = await endpoint.refresh(credentials(url.replace('http:', 'https:')), []);
    expect(answer).toEqual({ kind: 'unreachable', detail: 'the certificate is for another host name (ERR_TLS_CERT_ALTNAME_INVALID)' });
    await closed;
    expect(received).toBe(0);
  });

  it('that does not speak TLS is unreachable', async () => {
    const { grant } = await provide();
    expect(await refresh({ ...grant, tokenUrl: grant.tokenUrl.replace('http:', 'https:') })).toMatchObject({ kind: 'unreachable' });
  });
});

describe('An endpoint that cannot be reached', () => {
  it('is down', async () => {
    const { provider, grant } = await provide();
    await provider.goDown();
    expect(await refresh(grant)).toEqual({ kind: 'unreachable', detail: 'the connection was refused (ECONNREFUSED)' });
  });

  it('has no known name', async () => {
    expect(await ask('http://nowhere.invalid/token')).toMatchObject({ kind: 'unreachable', detail: expect.stringMatching(/host name.*\((ENOTFOUND|EAI_AGAIN)\)/) as string });
  });

  it('accepts a connection and never finishes the TLS handshake', async () => {
    const { url } = await listen(createTcpServer((socket) => cleanUp.push(() => socket.destroy())));
    expect(await ask(url.replace('http:', 'https:'))).toEqual({ kind: 'unreachable', detail: 'no connection within 500 ms' });
  });
});

describe('An answer', () => {
  const answering = (answer: (response: ServerResponse) => void): Promise<{ url: string }> =>
    listen(createServer((request, response) => void request.resume().on('end', () => answer(response))));

  it('that is compressed without being asked for is read', async () => {
    const { url } = await answering((response) => response.setHeader('content-encoding', 'gzip').end(gzipSync('{"access_token":"at"}')));
    expect(await ask(url)).toMatchObject({ kind: 'granted' });
  });

  it('that unpacks to more than 1 MiB is in doubt', async () => {
    const { url } = await answering((response) => response.setHeader('content-encoding', 'gzip').end(gzipSync(`{"access_token":"${'a'.repeat(20 << 20)}"}`)));
    expect(await ask(url)).toMatchObject({ kind: 'in_doubt', status: 200 });
  });

  it('that is not HTTP is in doubt', async () => {
    const { url } = await listen(createTcpServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-OpenSSH\r\n')));
    expect(await ask(url)).toMatchObject({ kind: 'in_doubt', status: null });
  });

  it('that never ends is cut off at the limit', async () => {
    const { url } = await answering((response) => {
      const more = (): void => {
        if (!response.destroyed) response.write('a'.repeat(64 << 10), more);
      };
      more();
    });
    expect(await ask(url)).toMatchObject({ kind: 'in_doubt', detail: 'the answer is longer than 1 MiB' });
  });

  it('never repeats a secret in its detail', async () => {
    const { url } = await answering((response) => {
      response.statusCode = 400;
      response.end(JSON.stringify({ error: 'invalid_grant', error_description: `refresh-token-sent of secret-of-client, ${btoa('client:secret-of-client')}` }));
    });
    expect(await ask(url)).toEqual({ kind: 'invalid_grant', status: 400, detail: 'status 400, invalid_grant (*** of ***, ***)' });
  });
});
