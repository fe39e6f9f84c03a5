import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Account } from './account.ts';
import type { Behaviour, BehaviourChooser } from './behaviour.ts';
import { BehaviourScript } from './behaviour-script.ts';
import type { Ordered } from './behaviour-script.ts';
import { createCertificateAuthority } from './certificate.ts';
import { tokenAuthOf } from './client-authentication.ts';
import type { Client } from './client-authentication.ts';
import { GrantBook } from './grant-book.ts';
import type { IssuedGrant, TokenJudge } from './judgement.ts';
import { answerRequest } from './token-endpoint.ts';

export interface ProviderOptions {
  /** Lifetime of an access token, default 3600. */
  readonly accessTokenSeconds?: number;
  /** Default true: each refresh gives a new refresh token and spends the old one. */
  readonly rotate?: boolean;
  /** Default false: a refresh ends the previous access token at once. */
  readonly killsOldAccessToken?: boolean;
  /** For how long a spent refresh token gets the same answer once more; default 0, never. */
  readonly graceMs?: number;
  /** Characters in a token, default 64. */
  readonly tokenLength?: number;
  /** Time between commit and answer, default 0. */
  readonly latencyMs?: number;
  /** Default: one client with a random secret. */
  readonly clients?: readonly Client[];
  /** `trusted`: the certificate is signed by the authority in `caPem`. `untrusted`: by one nobody is told of. */
  readonly tls?: 'trusted' | 'untrusted';
}

/** Starts an OAuth2 token endpoint in this process, on a free port of 127.0.0.1. */
export async function startProvider(options: ProviderOptions = {}): Promise<Provider> {
  const provider = new Provider(options);
  await provider.comeBack();
  return provider;
}

/** A token endpoint that refreshes (RFC 6749 section 6), keeps account of all it saw, and misbehaves on command. */
export class Provider {
  /** The authority to trust, when the provider speaks TLS. */
  readonly caPem: string | null;
  readonly clients: readonly Client[];
  readonly accessTokenSeconds: number;
  readonly #book: GrantBook;
  readonly #script = new BehaviourScript();
  readonly #server: Server;
  readonly #scheme: 'http' | 'https';
  #port = 0;
  #hanging: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(options: ProviderOptions) {
    const { accessTokenSeconds = 3600, rotate = true, killsOldAccessToken = false, graceMs = 0, tokenLength = 64 } = options;
    this.accessTokenSeconds = accessTokenSeconds;
    this.clients = options.clients ?? [{ id: 'client-1', secret: randomBytes(24).toString('base64url') }];
    this.#book = new GrantBook({ accessTokenSeconds, rotate, killsOldAccessToken, graceMs, tokenLength });
    this.#scheme = options.tls ? 'https' : 'http';
    const { server, caPem } = listenerFor(options.tls, this.#handler(options.latencyMs ?? 0));
    // A kept connection that the server ends as the client writes looks like a lost answer; that must happen on command only.
    server.keepAliveTimeout = 600_000;
    this.#server = server;
    this.caPem = caPem;
  }

  get port(): number {
    return this.#port;
  }

  get tokenUrl(): string {
    return `${this.#scheme}://127.0.0.1:${this.#port}/token`;
  }

  /** RFC 7009. */
  get revocationUrl(): string {
    return `${this.#scheme}://127.0.0.1:${this.#port}/revoke`;
  }

  get account(): Account {
    return this.#book.account;
  }

  /** A new grant of client number `client` (from 0), for the judge to know as that of `owner`. */
  createGrant({ client = 0, owner }: { client?: number; owner?: string } = {}): IssuedGrant {
    const of = this.clients[client];
    if (!of) throw new RangeError(`the provider has no client ${client}`);
    const grant = this.#book.create(of.id, owner ?? null, Date.now());
    return { ...grant, clientId: of.id, tokenAuth: tokenAuthOf(of), expiresInMs: this.accessTokenSeconds * 1000, tokenUrl: this.tokenUrl };
  }

  readonly isLive: TokenJudge = (accessToken, at = Date.now()) => this.#book.isLive(accessToken, at);

  /** The tokens a grant has come to, whether or not anybody got them; null for an unknown grant. */
  newest(grantId: string): { accessToken: string; refreshToken: string; refreshTokenId: string } | null {
    return this.#book.newest(grantId);
  }

  /** The user withdraws the consent. */
  revokeGrant(grantId: string): void {
    this.#book.revokeGrant(grantId, Date.now());
  }

  revokeAccessToken(accessToken: string): void {
    this.#book.revokeAccessToken(accessToken, Date.now());
  }

  /** The next `times` requests (of this grant) meet the behaviour; several orders are met in turn. */
  next(behaviour: Behaviour, only: { grantId?: string; times?: number } = {}): Ordered {
    return this.#script.next(behaviour, only);
  }

  /** Every request (of this grant) meets the behaviour, or what the function chooses, until `clear`. @returns what ends this one */
  always(behaviour: Behaviour | BehaviourChooser, only: { grantId?: string } = {}): () => void {
    return this.#script.always(behaviour, only);
  }

  /** Behaves again, and lets hanging requests go. */
  clear(): void {
    this.#script.clear();
    this.release();
  }

  /** Lets every hanging request have its answer. */
  release(): void {
    this.#hanging.resolve();
    this.#hanging = Promise.withResolvers();
  }

  /** Closes the port and every connection: clients are refused. */
  async goDown(): Promise<void> {
    if (!this.#server.listening) return;
    this.account.outages.push({ from: Date.now(), until: Infinity });
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  /** Listens again, on the same port; on a free one the first time. */
  async comeBack(): Promise<void> {
    if (this.#server.listening) return;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#port = (this.#server.address() as AddressInfo).port;
    const outage = this.account.outages.at(-1);
    if (outage) outage.until = Date.now();
  }

  /** For long runs: forgets what ended more than `olderThanMs` ago (default a minute). Reuse is still detected afterwards. */
  prune(olderThanMs = 60_000): void {
    this.#book.prune(Date.now() - olderThanMs);
  }

  async stop(): Promise<void> {
    this.release();
    await this.goDown();
  }

  #handler(latencyMs: number): (request: IncomingMessage, response: ServerResponse) => void {
    const clients = new Map(this.clients.map((client) => [client.id, client]));
    const parts = { clients, book: this.#book, script: this.#script, latencyMs, released: () => this.#hanging.promise };
    return (request, response) => {
      answerRequest(parts, request, response).catch(() => response.destroy());
    };
  }
}

function listenerFor(tls: ProviderOptions['tls'], handler: (request: IncomingMessage, response: ServerResponse) => void): { server: Server; caPem: string | null } {
  if (!tls) return { server: createServer(handler), caPem: null };
  const trusted = createCertificateAuthority('Trusted Test Authority');
  const signer = tls === 'trusted' ? trusted : createCertificateAuthority('Unknown Test Authority');
  const { certPem, keyPem } = signer.issue(['localhost', '127.0.0.1']);
  return { server: createTlsServer({ cert: certPem, key: keyPem }, handler), caPem: trusted.caPem };
}
