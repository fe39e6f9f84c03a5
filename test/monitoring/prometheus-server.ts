import { mkdtempSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort } from '../harness/ports.ts';
import { ServerProcess } from '../harness/server-process.ts';
import { findProgram } from '../harness/store-programs.ts';
import { rulesFile } from './alert-rules.ts';

export interface PrometheusOptions {
  /** Admin ports, such as `http://127.0.0.1:8282`. */
  readonly nodes: readonly string[];
  readonly job: string;
  /** Text of the rules, default those that are delivered. */
  readonly rules?: string;
  /** Between two looks at nodes and rules, default 1. */
  readonly everySeconds?: number;
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A private Prometheus that scrapes the nodes and watches the rules. */
export async function startPrometheus({ nodes, job, rules = readFileSync(rulesFile, 'utf8'), everySeconds = 1 }: PrometheusOptions): Promise<Prometheus> {
  const [port, folder] = [await freePort(), mkdtempSync(join(tmpdir(), 'tps-prometheus-'))];
  const prometheus = new Prometheus(port, folder);
  const every = `${everySeconds}s`;
  const scrape = { job_name: job, static_configs: [{ targets: nodes.map((url) => new URL(url).host) }] };
  const config = { global: { scrape_interval: every, scrape_timeout: every, evaluation_interval: every }, rule_files: ['rules.yml'], scrape_configs: [scrape] };
  await writeFile(join(folder, 'rules.yml'), rules);
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config));
  await prometheus.start();
  return prometheus;
}

export class Prometheus {
  readonly url: string;
  readonly #process: ServerProcess;

  constructor(port: number, folder: string) {
    this.url = `http://127.0.0.1:${port}`;
    const args = ['--config.file=prometheus.yml', `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=warn'];
    this.#process = new ServerProcess({ name: 'Prometheus', program: findProgram('prometheus'), args, folder, answers: () => this.#isOf(folder) });
  }

  start(): Promise<void> {
    return this.#process.start();
  }

  remove(): Promise<void> {
    return this.#process.remove();
  }

  /** What an instant query gives now. @throws where Prometheus cannot carry it out */
  async query(expr: string): Promise<Sample[]> {
    const { result } = await this.#get<{ result: { metric: Record<string, string>; value: [number, string] }[] | [number, string] }>(`query?query=${encodeURIComponent(expr)}`);
    const [first] = result;
    if (typeof first === 'number') return [{ metric: {}, value: Number(result[1]) }];
    return (result as { metric: Record<string, string>; value: [number, string] }[]).map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  async targets(): Promise<{ readonly health: string; readonly lastError: string }[]> {
    return (await this.#get<{ activeTargets: { health: string; lastError: string }[] }>('targets?state=active')).activeTargets;
  }

  /** The alerts that fire now, with their labels. */
  async firing(): Promise<Readonly<Record<string, string>>[]> {
    return (await this.query('ALERTS{alertstate="firing"}')).map(({ metric }) => metric);
  }

  async #get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${path}`, { signal: AbortSignal.timeout(10_000) });
    const { status, data, error } = (await response.json()) as { status: string; data: T; error?: string };
    if (status !== 'success') throw new Error(`Prometheus refused ${decodeURIComponent(path)}: ${error ?? status}`);
    return data;
  }

  /** Its working folder tells that it is no other that listens there. */
  async #isOf(folder: string): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/-/ready`)).ok && (await this.#get<{ CWD: string }>('status/runtimeinfo')).CWD.endsWith(folder.replace(/^\/private/, ''));
    } catch {
      return false;
    }
  }
}
