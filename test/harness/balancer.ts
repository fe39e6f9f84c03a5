import { createServer, request as startRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { BalancerTarget } from './balancer-target.ts';
import type { TargetAddress } from './balancer-target.ts';

export interface BalancerOptions {
  readonly targets: readonly TargetAddress[];
  /** On the admin port; 200 means to be chosen. Default `/ready`. */
  readonly readyPath?: string;
  /** Time between two checks of a node, default 250. */
  readonly checkEveryMs?: number;
  /** A node that says nothing for so long is passed over, default 1500. */
  readonly checkTimeoutMs?: number;
}

export interface BalancerReport {
  readonly requests: number;
  /** Requests sent a second time because a node refused or broke the connection, or fell silent, before a byte came back. */
  readonly resent: number;
  /** Requests nobody answered (502, 503). */
  readonly unanswered: number;
  readonly targets: readonly { readonly appUrl: string; readonly requests: number; readonly ejections: number; readonly healthy: boolean }[];
}

/** Starts one address in front of several nodes, and returns when each has been asked once whether it is ready. */
export async function startBalancer(options: BalancerOptions): Promise<Balancer> {
  const balancer = new Balancer(options);
  await balancer.start();
  return balancer;
}

/**
 * A load balancer as the service is run behind: round robin over ready nodes, readiness checks, ejection at the first
 * broken connection, and what HAProxy calls `retry-on conn-failure empty-response` with `redispatch`. What may be sent
 * again: GET and HEAD until the first byte of an answer; anything else only when the connection was refused.
 */
export class Balancer {
  readonly #options: BalancerOptions;
  readonly #server: Server;
  #targets: BalancerTarget[] = [];
  #turn = 0;
  #requests = 0;
  #resent = 0;
  #unanswered = 0;

  constructor(options: BalancerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => { this.#accept(request, response); });
    this.#server.keepAliveTimeout = 600_000;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get report(): BalancerReport {
    const targets = this.#targets.map(({ address, requests, ejections, isHealthy }) => ({ appUrl: address.appUrl, requests, ejections, healthy: isHealthy }));
    return { requests: this.#requests, resent: this.#resent, unanswered: this.#unanswered, targets };
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => { this.#server.listen(0, '127.0.0.1', resolve); });
    await Promise.all(this.#options.targets.map((address) => this.add(address)));
  }

  async add(address: TargetAddress): Promise<void> {
    const { readyPath = '/ready', checkEveryMs = 250, checkTimeoutMs = 1500 } = this.#options;
    const target = new BalancerTarget(address, { path: readyPath, everyMs: checkEveryMs, timeoutMs: checkTimeoutMs });
    this.#targets.push(target);
    await target.watch();
  }

  /** Requests under way at this node end by themselves. */
  remove({ appUrl }: Pick<TargetAddress, 'appUrl'>): void {
    this.#targets.find(({ address }) => address.appUrl === appUrl)?.stop();
    this.#targets = this.#targets.filter(({ address }) => address.appUrl !== appUrl);
  }

  /** Waits until exactly `count` nodes are ready. */
  async waitForHealthy(count: number, timeoutMs = 30_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    const healthy = (): number => this.#targets.filter(({ isHealthy }) => isHealthy).length;
    while (healthy() !== count) {
      if (performance.now() > deadline) throw new Error(`${healthy()} instead of ${count} nodes are ready after ${timeoutMs} ms`);
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    for (const target of this.#targets) target.stop();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => { resolve(); });
      this.#server.closeAllConnections();
    });
  }

  #accept(request: IncomingMessage, response: ServerResponse): void {
    this.#requests++;
    const repeatable = request.method === 'GET' || request.method === 'HEAD';
    if (repeatable) {
      request.resume();
      this.#forward({ request, response, body: null, repeatable, tried: new Set() });
      return;
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => { this.#forward({ request, response, body: Buffer.concat(chunks), repeatable, tried: new Set() }); });
    request.on('error', () => undefined);
  }

  #forward(exchange: Exchange): void {
    const { request, response, body, tried } = exchange;
    const target = this.#choose(tried);
    if (!target) return this.#refuse(response, 503);
    tried.add(target);
    target.requests++;
    const upstream = startRequest({ host: target.host, port: target.port, agent: target.agent, method: request.method, path: request.url, headers: passedOn(request.headers) });
    const settled = target.awaitAnswer(() => { if (exchange.repeatable) upstream.destroy(new Error('the node fell silent')); });
    const abort = (): void => { if (!response.writableEnded) upstream.destroy(); };
    response.once('close', abort);
    upstream.on('response', (answer) => {
      settled();
      response.writeHead(answer.statusCode ?? 502, { ...passedOn(answer.headers), 'x-served-by': `${target.host}:${target.port}` });
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    upstream.on('error', (error: NodeJS.ErrnoException) => {
      settled();
      response.off('close', abort);
      this.#failed(exchange, target, upstream, error);
    });
    upstream.end(body ?? undefined);
  }

  #failed(exchange: Exchange, target: BalancerTarget, upstream: ClientRequest, error: NodeJS.ErrnoException): void {
    const { response, repeatable, tried } = exchange;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (response.destroyed) return;
    target.eject();
    if (!repeatable && error.code !== 'ECONNREFUSED') return this.#refuse(response, 502);
    // A kept connection that had come to its end says nothing about the node: it may be asked again, once.
    if (upstream.reusedSocket && !exchange.askedAgain) {
      exchange.askedAgain = true;
      tried.delete(target);
    }
    this.#resent++;
    this.#forward(exchange);
  }

  /** The next ready node in turn; when none is, one that has not been tried. */
  #choose(tried: ReadonlySet<BalancerTarget>): BalancerTarget | undefined {
    const count = this.#targets.length;
    const inTurn = Array.from({ length: count }, (_, i) => this.#targets[(this.#turn + i) % count]);
    const untried = inTurn.filter((target) => target !== undefined && !tried.has(target));
    const chosen = untried.find((target) => target?.isHealthy) ?? untried[0];
    if (chosen) this.#turn = (this.#targets.indexOf(chosen) + 1) % count;
    return chosen;
  }

  #refuse(response: ServerResponse, status: 502 | 503): void {
    this.#unanswered++;
    response.writeHead(status, { 'content-type': 'text/plain' }).end('no node answered');
  }
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: Buffer | null;
  readonly repeatable: boolean;
  readonly tried: Set<BalancerTarget>;
  askedAgain?: boolean;
}

const hopByHop: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te', 'trailer']);

function passedOn(headers: IncomingMessage['headers']): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)));
}
