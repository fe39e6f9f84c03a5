import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, getCACertificates, type SecureContext } from 'node:tls';

export interface ConnectOptions {
  /** Deadline for name look-up, TCP and TLS together, ms. */
  readonly connectTimeoutMs: number;
  /** PEM file of certificate authorities that are trusted beside those of the runtime. */
  readonly extraCaFile?: string | undefined;
}

/** No connection, so nothing was sent; `message` is fit for people. */
export class NotConnected extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'NotConnected';
  }
}

/** A wait this long for one address of a host before the next is tried as well (RFC 8305 section 5). */
const nextAddressAfterMs = 1000;

/** Opens fresh connections to token endpoints: a kept one that breaks leaves open whether the request arrived. */
export class Connector {
  readonly #timeoutMs: number;
  readonly #trust: SecureContext;

  /** @throws where the file of certificate authorities cannot be read */
  constructor({ connectTimeoutMs, extraCaFile }: ConnectOptions) {
    this.#timeoutMs = connectTimeoutMs;
    this.#trust = createSecureContext(extraCaFile === undefined ? {} : { ca: [...getCACertificates('default'), readFileSync(extraCaFile, 'utf8')] });
  }

  /**
   * A connection over which nothing was sent yet; with https, to a server whose certificate was verified.
   * @throws NotConnected
   */
  async open(url: URL): Promise<Socket> {
    const signal = AbortSignal.timeout(this.#timeoutMs);
    const secure = url.protocol === 'https:';
    const socket = secure ? this.#tls(url) : connectTcp(target(url));
    // An error that nobody listens for would end the process; the one who sends meets it again on writing.
    socket.on('error', () => undefined);
    try {
      await once(socket, secure ? 'secureConnect' : 'connect', { signal });
      return socket;
    } catch (error) {
      socket.destroy();
      throw new NotConnected(signal.aborted ? `no connection within ${this.#timeoutMs} ms` : reasonOf(error));
    }
  }

  #tls(url: URL): Socket {
    const { host } = target(url);
    const servername = /^[\d.]+$|:/.test(host) ? {} : { servername: host };
    return connectTls({ ...target(url), ...servername, secureContext: this.#trust, rejectUnauthorized: true, ALPNProtocols: ['http/1.1'] });
  }
}

function target(url: URL): { host: string; port: number; autoSelectFamilyAttemptTimeout: number } {
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port, autoSelectFamilyAttemptTimeout: nextAddressAfterMs };
}

const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was closed while it was being set up',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ETIMEDOUT: 'the host did not answer',
  EPROTO: 'TLS could not be agreed upon',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate chain ends in a self-signed certificate that is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the issuer of the certificate is not trusted',
  UNABLE_TO_GET_ISSUER_CERT: 'the issuer of the certificate is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the issuer of the certificate is not trusted',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host name',
};

function reasonOf(error: unknown): string {
  const failures: unknown[] = error instanceof AggregateError ? error.errors : [error];
  const code = (failures[0] as NodeJS.ErrnoException).code ?? 'unknown';
  return `${reasons[code] ?? 'the connection could not be set up'} (${code})`;
}
