import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';
import { tokenAuthOf } from '../provider/client-authentication.ts';
import type { Client } from '../provider/client-authentication.ts';
import type { IssuedGrant, TokenJudge } from '../provider/judgement.ts';
import { MemoryStore } from './memory-store.ts';

export interface OidcServerOptions {
  /** Lifetime of an access token, default 20. The server counts whole seconds, so it can end up to one second early. */
  readonly accessTokenSeconds?: number;
  /** How many clients to register, default 1. */
  readonly clients?: number;
}

/** A certified OAuth2 server, which we did not write, with rotating refresh tokens; on a free port of 127.0.0.1. */
export interface OidcServer {
  readonly port: number;
  readonly tokenUrl: string;
  readonly clients: readonly Client[];
  /** A new grant of client number `clientIndex` (from 0) to the account `owner`. */
  createGrant(clientIndex?: number, owner?: string): Promise<IssuedGrant>;
  readonly isLive: TokenJudge;
  /** Asks the server itself (RFC 7662), as client number `clientIndex`. */
  introspect(accessToken: string, clientIndex?: number): Promise<{ readonly active: boolean }>;
  readonly account: { readonly issued: number; readonly refreshes: number; readonly grantsRevoked: number; readonly presentedTwice: number };
  /** Forgets what ended more than `olderThanMs` ago, default a minute. */
  prune(olderThanMs?: number): void;
  stop(): Promise<void>;
}

const scope = 'offline_access api';

export async function startOidcServer({ accessTokenSeconds = 20, clients: count = 1 }: OidcServerOptions = {}): Promise<OidcServer> {
  const clients = Array.from({ length: count }, (_, i) => ({ id: `client-${i + 1}`, secret: randomBytes(32).toString('base64url') }));
  const server = createServer();
  const port = await listen(server);
  const store = new MemoryStore();
  const provider = new Provider(`http://127.0.0.1:${port}`, configuration(store, clients, accessTokenSeconds));
  const counts = countRefreshes(provider);
  server.on('request', provider.callback());
  const tokenUrl = `http://127.0.0.1:${port}/token`;
  const clientAt = (index: number): Client => {
    const client = clients[index];
    if (!client) throw new RangeError(`the server has no client ${index}`);
    return client;
  };
  return {
    port,
    tokenUrl,
    clients,
    createGrant: async (clientIndex = 0, owner = 'somebody') => {
      const client = clientAt(clientIndex);
      const grant = await consent(provider, client.id, owner);
      return { ...grant, clientId: client.id, tokenAuth: tokenAuthOf(client), expiresInMs: accessTokenSeconds * 1000, tokenUrl };
    },
    isLive: (accessToken, at = Date.now()) => store.isLive(accessToken, at),
    introspect: async (accessToken, clientIndex = 0) => introspect(port, clientAt(clientIndex), accessToken),
    account: {
      get issued() { return store.issued; },
      get refreshes() { return counts.refreshes; },
      get grantsRevoked() { return store.grantsRevoked; },
      get presentedTwice() { return counts.reuses; },
    },
    prune: (olderThanMs = 60_000) => { store.prune(Date.now() - olderThanMs); },
    stop: () => close(server),
  };
}

/** All that the library would warn of by default is set: keys, store, accounts, and no pages for logging in. */
function configuration(store: MemoryStore, clients: readonly Client[], accessTokenSeconds: number): Record<string, unknown> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    adapter: (model: string) => store.adapterFor(model),
    clients: clients.map(({ id, secret }) => ({
      client_id: id,
      client_secret: secret,
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['refresh_token', 'authorization_code'],
      redirect_uris: ['http://127.0.0.1/never'],
      id_token_signed_response_alg: 'ES256',
    })),
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256' }] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    scopes: ['offline_access', 'api'],
    findAccount: async (_context: unknown, id: string) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    rotateRefreshToken: true,
    ttl: { AccessToken: accessTokenSeconds, RefreshToken: 86_400, Grant: 86_400, IdToken: 60, Session: 60, Interaction: 60 },
    features: { devInteractions: { enabled: false }, introspection: { enabled: true, allowedPolicy: async () => true }, revocation: { enabled: true } },
  };
}

/** What a user in a browser would have agreed to. */
async function consent(provider: Provider, clientId: string, accountId: string): Promise<{ grantId: string; accessToken: string; refreshToken: string }> {
  const client = await provider.Client.find(clientId);
  const grant = new provider.Grant({ accountId, clientId });
  grant.addOIDCScope(scope);
  const grantId = await grant.save();
  const fields = { client, accountId, grantId, scope, gty: 'authorization_code', expiresWithSession: false };
  const accessToken = await new provider.AccessToken(fields).save();
  const refreshToken = await new provider.RefreshToken(fields).save();
  return { grantId, accessToken, refreshToken };
}

function countRefreshes(provider: Provider): { refreshes: number; reuses: number } {
  const counts = { refreshes: 0, reuses: 0 };
  provider.on('grant.success', () => { counts.refreshes++; });
  provider.on('grant.error', (_context, error) => {
    if ((error as { error_detail?: string }).error_detail === 'refresh token already used') counts.reuses++;
  });
  return counts;
}

async function introspect(port: number, client: Client, token: string): Promise<{ active: boolean }> {
  const response = await fetch(`http://127.0.0.1:${port}/token/introspection`, {
    method: 'POST',
    headers: { authorization: `Basic ${tokenAuthOf(client)}` },
    body: new URLSearchParams({ token }),
  });
  return (await response.json()) as { active: boolean };
}

async function listen(server: Server): Promise<number> {
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  await new Promise<void>((resolve) => {
    server.close(() => { resolve(); });
    server.closeAllConnections();
  });
}
