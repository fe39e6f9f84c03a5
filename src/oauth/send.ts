import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';

import got, { RequestError, type Response } from 'got';

import { Connector, NotConnected, type ConnectOptions } from './connect.ts';
import type { Reply } from './failure.ts';
import type { RefreshRequest } from './refresh-request.ts';

export interface SendOptions extends ConnectOptions {
  /** Deadline for the request and its whole answer once connected, ms. */
  readonly answerTimeoutMs: number;
}

/** `not_left`: not a byte left this machine. `no_answer`: something may have left, and no whole answer was read. */
export type Sent =
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'not_left'; readonly detail: string }
  | { readonly kind: 'no_answer'; readonly status: number | null; readonly detail: string };

const bodyLimit = 1 << 20;
const headerLimit = 64 << 10;

/** Sends a request exactly once: no retry, no redirect, no kept connection. */
export class Sender {
  readonly #connector: Pick<Connector, 'open'>;
  readonly #answerTimeoutMs: number;

  constructor(options: SendOptions, connector: Pick<Connector, 'open'> = new Connector(options)) {
    this.#connector = connector;
    this.#answerTimeoutMs = options.answerTimeoutMs;
  }

  async send(request: RefreshRequest): Promise<Sent> {
    let socket: Socket;
    try {
      socket = await this.#connector.open(request.url);
    } catch (error) {
      if (error instanceof NotConnected) return { kind: 'not_left', detail: error.message };
      throw error;
    }
    try {
      return await this.#post(request, socket);
    } finally {
      socket.destroy();
    }
  }

  async #post(request: RefreshRequest, socket: Socket): Promise<Sent> {
    const end = new AbortController();
    /** From the hand-over on the request counts as having left. */
    const handedOver = { yet: false };
    const createConnection = (): Socket => {
      if (socket.destroyed) throw new NotConnected('the connection was closed before the request was sent');
      handedOver.yet = true;
      return socket;
    };
    try {
      const call = got.post(request.url, { ...optionsFor(request), createConnection, signal: end.signal });
      void call.on('downloadProgress', ({ transferred }) => transferred > bodyLimit && end.abort('the answer is longer than 1 MiB'));
      return { kind: 'reply', reply: await replyOf(await this.#inTime(call, end)) };
    } catch (error) {
      if (!handedOver.yet) return { kind: 'not_left', detail: 'the connection was closed before the request was sent' };
      return { kind: 'no_answer', status: statusOf(error), detail: end.signal.aborted ? String(end.signal.reason) : reasonOf(error) };
    }
  }

  /** The deadlines of the library do not hold where the connection dies at the wrong moment. */
  async #inTime<T>(call: Promise<T>, end: AbortController): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      end.abort('no whole answer in time');
      reject(new Error('late'));
    }, this.#answerTimeoutMs);
    try {
      return await Promise.race([call, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function optionsFor(request: RefreshRequest) {
  return {
    body: request.form.reveal(),
    headers: {
      accept: 'application/json',
      'accept-encoding': 'identity',
      authorization: request.authorization.reveal(),
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': 'token-pool-service',
    },
    responseType: 'buffer',
    decompress: false,
    retry: { limit: 0 },
    followRedirect: false,
    throwHttpErrors: false,
    maxHeaderSize: headerLimit,
  } as const;
}

async function replyOf({ statusCode, headers, rawBody }: Response<Uint8Array>): Promise<Reply> {
  const flat = Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value] as const);
  const body = await decoded(rawBody, headers['content-encoding']);
  return { status: statusCode, headers: Object.fromEntries(flat), body: body.toString('utf8') };
}

const decoders: Readonly<Record<string, (body: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer>>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
};

/** Some gateways compress although they are asked not to; what cannot be unpacked, or to more than the limit, counts as empty. */
async function decoded(body: Uint8Array, encoding: string | undefined): Promise<Buffer> {
  const decode = decoders[encoding?.trim().toLowerCase() ?? ''];
  if (decode === undefined) return Buffer.from(body);
  return decode(body, { maxOutputLength: bodyLimit }).catch(() => Buffer.alloc(0));
}

/** Of an answer whose head was read and whose body was not. */
function statusOf(error: unknown): number | null {
  return error instanceof RequestError ? (error.response?.statusCode ?? null) : null;
}

function reasonOf(error: unknown): string {
  return `no whole answer (${error instanceof RequestError ? error.code : 'unknown'})`;
}
