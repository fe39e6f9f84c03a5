import { once } from 'node:events';
import http from 'node:http';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import type { Service } from '../runtime/lifecycle.ts';
import type { Logger } from '../runtime/log.ts';
import { cannotListen } from './connector.ts';
import type { Connector } from './connector.ts';
import type { FastPath } from './fast-path.ts';
import { answerMalformed } from './malformed-requests.ts';
import { secureServer } from './secure-server.ts';

export interface ListenerOptions {
  /** For messages: `application` or `admin`. */
  readonly name: string;
  readonly connector: Connector;
  /** Asked first, where given. */
  readonly fastPath?: FastPath;
  readonly app: RequestListener;
  /** ms that requests under way are given when the listener stops. */
  readonly graceMs: number;
  readonly log: Logger;
}

/** ms. A load balancer usually closes an idle connection after 60 s; closing first would lose a request it sends at that moment. */
const keepAliveMs = 75_000;
/** ms for a request to arrive whole; how long its answer takes is not limited here. */
const requestMs = 60_000;
/** Bytes of address and headers together: a refresh carries an access token of several KB in its address. */
const maxHeaderBytes = 64 * 1024;
/** ms between two looks for connections that have fallen idle while the listener stops. */
const sweepMs = 50;

const serverOptions = {
  keepAliveTimeout: keepAliveMs,
  requestTimeout: requestMs,
  headersTimeout: requestMs,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: maxHeaderBytes,
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
};

/**
 * One open port. It stops by taking no new connection, answering what is under way with `Connection: close`, and then closing.
 * Better `retire` it some time before: a caller whose connection is closed between two requests may be sending the next one.
 */
export class Listener implements Service {
  readonly name: string;
  readonly #options: ListenerOptions;
  /** Answers that the fast path did not give: those are out within one turn of the event loop. */
  readonly #open = new Set<ServerResponse>();
  /** Connections on which no request came yet; `node:http` does not count them as idle. */
  readonly #unused = new Set<Socket>();
  #server: http.Server | undefined;
  #retired = false;
  #stopped: Promise<void> | undefined;

  constructor(options: ListenerOptions) {
    this.name = `${options.name} listener`;
    this.#options = options;
  }

  /** @throws Error that says what to do */
  async start(): Promise<void> {
    const server = this.#create();
    await this.#listen(server);
    server.on('error', (error) => { this.#options.log.warn({ err: error, listener: this.name }, 'A connection could not be taken'); });
    this.#retired = false;
    this.#stopped = undefined;
    this.#server = server;
  }

  /** Goes on as before, but every answer ends its connection: callers come back on a new one, which a balancer sends elsewhere. */
  retire(): void {
    this.#retired = true;
    for (const response of this.#open) {
      if (!response.headersSent) response.shouldKeepAlive = false;
    }
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#stopped ??= this.#drain(server);
    await this.#stopped;
  }

  /** @throws Error where the listener was not started */
  address(): AddressInfo {
    const address = this.#server?.address();
    if (address === null || address === undefined || typeof address === 'string') throw new Error(`The ${this.name} is not listening`);
    return address;
  }

  #create(): http.Server {
    const { connector, log } = this.#options;
    const secure = connector.type === 'https';
    const server = secure ? secureServer(connector, serverOptions, log) : http.createServer(serverOptions);
    server.on('request', this.#onRequest);
    server.on(secure ? 'secureConnection' : 'connection', this.#onConnection);
    server.on('clientError', this.#onMalformed);
    return server;
  }

  async #listen(server: http.Server): Promise<void> {
    const { name, connector } = this.#options;
    try {
      server.listen({ port: connector.port, ...(connector.bindHost === undefined ? {} : { host: connector.bindHost }) });
      await once(server, 'listening');
    } catch (cause) {
      throw cannotListen(name, connector, cause);
    }
  }

  readonly #onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    this.#unused.delete(request.socket);
    if (this.#retired) response.shouldKeepAlive = false;
    if (this.#options.fastPath?.(request, response) === true) return;
    this.#open.add(response);
    response.once('close', () => { this.#open.delete(response); });
    this.#options.app(request, response);
  };

  readonly #onMalformed = (error: NodeJS.ErrnoException, socket: Duplex): void => {
    const answering = [...this.#open].some((response) => response.socket === socket && response.headersSent);
    answerMalformed(error, socket, answering);
  };

  readonly #onConnection = (socket: Socket): void => {
    this.#unused.add(socket);
    socket.once('close', () => { this.#unused.delete(socket); });
  };

  async #drain(server: http.Server): Promise<void> {
    this.retire();
    const sweep = setInterval(() => {
      server.closeIdleConnections();
      for (const socket of this.#unused) socket.destroy();
    }, sweepMs);
    const end = setTimeout(() => { server.closeAllConnections(); }, this.#options.graceMs);
    const closed = once(server, 'close');
    server.close();
    await closed;
    clearInterval(sweep);
    clearTimeout(end);
  }
}
