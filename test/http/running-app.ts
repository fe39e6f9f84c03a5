import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';

import { ServiceError } from '../../src/domain/errors.ts';
import type { ErrorCode } from '../../src/domain/errors.ts';
import { fastPath } from '../../src/http/fast-path.ts';
import { Listener } from '../../src/http/listener.ts';
import type { PoolVerbs } from '../../src/http/pool-verbs.ts';
import { loggedFastPath } from '../../src/http/request-log.ts';
import { tokenApp } from '../../src/http/token-app.ts';
import type { Logger } from '../../src/runtime/log.ts';

export interface LogLine {
  readonly level: keyof Logger;
  readonly message: string;
  readonly fields: object;
}

/** Keeps what is logged. */
export class KeptLog implements Logger {
  readonly lines: LogLine[] = [];
  readonly trace = this.#at('trace');
  readonly debug = this.#at('debug');
  readonly info = this.#at('info');
  readonly warn = this.#at('warn');
  readonly error = this.#at('error');

  get text(): string {
    return JSON.stringify(this.lines);
  }

  #at(level: keyof Logger) {
    return (fields: object, message: string): void => { this.lines.push({ level, message, fields }); };
  }
}

/** Verbs of a pool in which nobody has a token; tests put in what they need. */
export function emptyPool(overrides: Partial<PoolVerbs> = {}): PoolVerbs {
  const refuse = (code: ErrorCode) => (): Promise<never> => Promise.reject(new ServiceError(code));
  return { peek: () => undefined, acquire: refuse('TPS0013'), restart: refuse('TPS0013'), refresh: refuse('TPS0013'), ...overrides };
}

export interface RunningApp {
  readonly url: string;
  readonly port: number;
  readonly log: KeptLog;
  /** `route code` of every failure that was observed. */
  readonly failures: string[];
  readonly listener: Listener;
}

/** The application port on a free port of 127.0.0.1, as the service opens it. */
export async function runApp(verbs: PoolVerbs, options: { maxWaiting?: number; graceMs?: number } = {}): Promise<RunningApp> {
  const log = new KeptLog();
  const failures: string[] = [];
  const onFailure = (route: string, code: ErrorCode): void => { failures.push(`${route} ${code}`); };
  const listener = new Listener({
    name: 'application',
    connector: { type: 'http', port: 0, bindHost: '127.0.0.1' },
    fastPath: loggedFastPath(fastPath((owner) => verbs.peek(owner)), log),
    app: tokenApp({ verbs, log, logRequests: true, version: '1.2.3', maxWaiting: options.maxWaiting ?? 100, onFailure }),
    graceMs: options.graceMs ?? 15_000,
    log,
  });
  await listener.start();
  const { port } = listener.address();
  return { url: `http://127.0.0.1:${port}`, port, log, failures, listener };
}

/** Sends bytes as they are and resolves to all that comes back until the server closes. */
export async function sendRaw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(text, 'latin1');
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('utf8');
}

export interface Answer {
  readonly status: number | undefined;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** For paths that `fetch` would tidy up. */
export async function call(port: number, method: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const request = httpRequest({ port, host: '127.0.0.1', method, path, headers, agent: false });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += String(chunk);
  return { status: response.statusCode, headers: response.headers, body };
}
