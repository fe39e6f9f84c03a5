import { Agent, request as startRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Provider } from '../harness/provider/provider.ts';
import { startReaders } from '../harness/readers.ts';
import type { Readers } from '../harness/readers.ts';

/** What one kind of callers got. */
export interface Calls {
  requests: number;
  slowestMs: number;
  /** `502`, `400 TPS0010`, `ECONNRESET`, or what is wrong with the token; never a token. */
  readonly failures: string[];
}

export interface LoadFigures {
  /** GETs of callers that keep their connections. */
  readonly kept: Calls;
  /** GETs of callers that come by a new connection each time. */
  readonly fresh: Calls;
  /** PUT refresh, each with the token that the one before gave; half of them on kept connections. */
  readonly changes: Calls;
}

export interface LoadOptions {
  readonly url: string;
  readonly owners: readonly string[];
  /** Whose tokens are replaced again and again. */
  readonly changed: readonly string[];
  readonly provider: Provider;
}

const keepers = 3;
const readsPerSecondOfKeeper = 30;
const newcomers = 3;
const pauseOfNewcomerMs = 40;
const pauseOfChangesMs = 200;

/** Callers of one address, of each kind several, until they are stopped. None sends anything a second time: what the address does not hide is seen. */
export class BalancedLoad {
  readonly fresh = nothingYet();
  readonly changes = nothingYet();
  readonly #options: LoadOptions;
  readonly #keepers: readonly Readers[];
  readonly #callers: Promise<void>[];
  #stopped = false;

  constructor(options: LoadOptions) {
    const { url, owners, changed, provider } = options;
    this.#options = options;
    this.#keepers = Array.from({ length: keepers }, () => startReaders({ urls: [url], owners, ratePerSecond: readsPerSecondOfKeeper, judge: provider.isLive }));
    this.#callers = [...Array.from({ length: newcomers }, (_, index) => this.#read(index)), ...changed.map((owner, index) => this.#change(owner, index % 2 === 0))];
  }

  /** Sends no more, and waits for the answers still out. */
  async stop(): Promise<LoadFigures> {
    this.#stopped = true;
    const reports = await Promise.all(this.#keepers.map((keeper) => keeper.stop()));
    await Promise.all(this.#callers);
    const failures = reports.flatMap((report) => [...report.failures.map(({ status, why }) => `${status ?? ''} ${why}`), ...(report.failed > report.failures.length ? ['and more'] : [])]);
    const kept = { requests: reports.reduce((sum, { reads }) => sum + reads, 0), slowestMs: Math.max(...reports.map(({ slowestMs }) => slowestMs)), failures };
    return { kept, fresh: this.fresh, changes: this.changes };
  }

  async #read(first: number): Promise<void> {
    const { owners } = this.#options;
    for (let turn = first; !this.#stopped; turn += newcomers) {
      await this.#call(this.fresh, 'GET', owners[turn % owners.length]!);
      await sleep(pauseOfNewcomerMs);
    }
  }

  async #change(owner: string, keeps: boolean): Promise<void> {
    const agent = keeps ? new Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
    let token = await this.#call(this.fresh, 'GET', owner);
    while (!this.#stopped) {
      const next: string | undefined = token === undefined ? undefined : await this.#call(this.changes, 'PUT', owner, token, agent);
      await sleep(pauseOfChangesMs);
      token = next ?? await this.#another(owner, token);
    }
    agent?.destroy();
  }

  /**
   * After a PUT without an answer a caller does not know which token there is. It asks until it gets another than the one that was to be
   * replaced, or asks for that once more when nothing comes of it.
   */
  async #another(owner: string, old: string | undefined): Promise<string | undefined> {
    const deadline = performance.now() + 5000;
    for (;;) {
      const token = await this.#call(this.fresh, 'GET', owner);
      if (token !== old || performance.now() > deadline || this.#stopped) return token;
      await sleep(pauseOfChangesMs);
    }
  }

  /** @returns the token of the answer; undefined where there is none that its provider honours */
  async #call(calls: Calls, method: 'GET' | 'PUT', owner: string, token = '', agent?: Agent): Promise<string | undefined> {
    const { url, provider } = this.#options;
    const path = method === 'GET' ? `/tokenservice/${owner}` : `/tokenservice/refresh/${owner}/${token}`;
    const sentAt = Date.now();
    const begun = performance.now();
    const answer = await send(url + path, method, agent).catch((error: unknown) => ({ status: (error as NodeJS.ErrnoException).code ?? 'broken', body: '' }));
    calls.requests++;
    calls.slowestMs = Math.max(calls.slowestMs, performance.now() - begun);
    const judged = answer.status === 200 ? provider.isLive(answer.body, sentAt) : undefined;
    if (judged?.known && !judged.expired && !judged.revoked && judged.owner === owner) return answer.body;
    calls.failures.push(judged ? 'a token that the provider does not honour' : `${answer.status} ${/^TPS?\d{4}/.exec(answer.body)?.[0] ?? ''}`.trim());
    return undefined;
  }
}

/** In a line for people. */
export function describeLoad({ kept, fresh, changes }: LoadFigures): string {
  const one = (name: string, { requests, failures, slowestMs }: Calls): string => `${name}: ${requests} requests, ${failures.length} failed, slowest ${Math.round(slowestMs)} ms`;
  return [one('GET on kept connections', kept), one('GET on new connections', fresh), one('PUT refresh', changes)].join('; ');
}

function nothingYet(): Calls {
  return { requests: 0, slowestMs: 0, failures: [] };
}

function send(url: string, method: string, agent: Agent | undefined): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = startRequest(url, { method, agent: agent ?? false }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece)).on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(pieces).toString('utf8') }));
    });
    sent.on('error', reject).end();
  });
}
