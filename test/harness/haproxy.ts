import { mkdtempSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePort } from './ports.ts';
import { ServerProcess } from './server-process.ts';
import { findProgram } from './store-programs.ts';

/** The sample that people are given. */
export const sampleConfiguration = join(import.meta.dirname, '../../deploy/haproxy/haproxy.cfg');

/** The real HAProxy of the machine; undefined where there is none. */
export const haproxy = findHaproxy();

/** What stands in the name of tests that are left out without it. */
export const withoutHaproxy = haproxy === undefined ? ' (left out: this machine has no haproxy)' : '';

/** A server of the sample, as HAProxy counts it; what came to nobody is not counted. */
export interface BalancedServer {
  readonly backend: 'reads' | 'changes';
  readonly name: string;
  /** `UP`, `NOLB` (gets nothing new, answers what it has), `DOWN`, `MAINT` */
  readonly state: string;
  readonly answers: number;
  readonly underWay: number;
  /** Requests sent again, to the same server or another. */
  readonly retries: number;
  readonly redispatches: number;
}

/** As much of a line of its log as tests look at. */
export interface LoggedRequest {
  readonly route: string;
  readonly status: number;
  /** `0`; `+2` were two, the last of them to another server. */
  readonly retries: string;
}

export interface HaproxyOptions {
  /** In front of three nodes; the handle of `startNode` is one. */
  readonly nodes: readonly { readonly appUrl: string; readonly adminUrl: string }[];
  /** Default the sample. */
  readonly configuration?: string;
}

/** The sample in front of three nodes, all of which it has found ready. */
export async function startHaproxy({ nodes, configuration = sampleConfiguration }: HaproxyOptions): Promise<Haproxy> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), 'tps-haproxy-'));
  const settings = Object.entries({ BALANCER_LISTEN: `127.0.0.1:${port}`, BALANCER_ADMIN_LISTEN: `127.0.0.1:${adminPort}`, ...addressesOf(nodes) });
  const args = [...settings.map(([name, value]) => `${name}=${value}`), haproxy ?? 'haproxy', '-db', '-f', configuration];
  const process = new ServerProcess({ name: 'HAProxy', program: '/usr/bin/env', args, folder, answers: () => answersAt(adminPort) });
  const started = new Haproxy(process, port, adminPort, join(folder, 'server.log'));
  try {
    await process.start();
    await started.waitForReady(nodes.length);
    return started;
  } catch (error) {
    await process.remove();
    throw error;
  }
}

export class Haproxy {
  readonly url: string;
  readonly metricsUrl: string;
  readonly #process: ServerProcess;
  readonly #logFile: string;

  constructor(process: ServerProcess, port: number, adminPort: number, logFile: string) {
    this.#process = process;
    this.url = `http://127.0.0.1:${port}`;
    this.metricsUrl = `http://127.0.0.1:${adminPort}/metrics`;
    this.#logFile = logFile;
  }

  /** By its own metrics. */
  async servers(): Promise<BalancedServer[]> {
    const text = await (await fetch(this.metricsUrl)).text();
    return ['node-1', 'node-2', 'node-3'].flatMap((name) => (['reads', 'changes'] as const).map((backend) => {
      const value = (metric: string): number => Number(new RegExp(`^${metric}.* ([\\d.]+)$`, 'm').exec(text)?.[1] ?? NaN);
      const of = `\\{proxy="${backend}",server="${name}"`;
      const state = new RegExp(`^haproxy_server_status${of},state="(\\w+)"\\} 1$`, 'm').exec(text)?.[1] ?? 'unknown';
      return { backend, name, state, answers: value(`haproxy_server_http_responses_total${of},code="2xx"`), underWay: value(`haproxy_server_current_sessions${of}`), retries: value(`haproxy_server_retry_warnings_total${of}`), redispatches: value(`haproxy_server_redispatch_warnings_total${of}`) };
    }));
  }

  async server(backend: BalancedServer['backend'], name: string): Promise<BalancedServer> {
    return (await this.servers()).find((server) => server.backend === backend && server.name === name)!;
  }

  async stateOf(name: string): Promise<string> {
    return (await this.server('reads', name)).state;
  }

  /** Waits until exactly `count` nodes are given requests of both kinds. */
  async waitForReady(count: number, timeoutMs = 30_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const up = (await this.servers()).filter(({ state }) => state === 'UP').length;
      if (up === count * 2) return;
      if (performance.now() > deadline) throw new Error(`${up / 2} instead of ${count} nodes are ready after ${timeoutMs} ms:\n${(await this.log()).split('\n').slice(-20).join('\n')}`);
      await sleep(50);
    }
  }

  /** All it wrote. */
  log(): Promise<string> {
    return readFile(this.#logFile, 'utf8');
  }

  /** The log's lines of requests that have ended. */
  async requests(): Promise<LoggedRequest[]> {
    return (await this.log()).split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LoggedRequest);
  }

  remove(): Promise<void> {
    return this.#process.remove();
  }
}

function addressesOf(nodes: HaproxyOptions['nodes']): Record<string, string> {
  return Object.fromEntries(nodes.flatMap(({ appUrl, adminUrl }, index) => [
    [`NODE_${index + 1}`, new URL(appUrl).host],
    [`NODE_${index + 1}_ADMIN_PORT`, new URL(adminUrl).port],
  ]));
}

async function answersAt(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/metrics`).then(({ ok }) => ok, () => false);
}

function findHaproxy(): string | undefined {
  try {
    return findProgram('haproxy');
  } catch {
    return undefined;
  }
}
