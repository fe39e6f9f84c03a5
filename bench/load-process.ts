import { execFile, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { LoadOrder, LoadResult } from './load-order.ts';

/** Puts load on a server from another process. */
export interface Load {
  readonly name: string;
  /** The shortest run that it can do, ms. */
  readonly shortestMs: number;
  run(order: LoadOrder): Promise<LoadResult>;
}

/** A process of this folder, ended with `stack` or with this process. @returns it, and what it said first */
export function startScript(file: string, args: readonly string[], stack: AsyncDisposableStack): ChildProcess {
  const child = fork(join(import.meta.dirname, file), [...args], { execArgv: [] });
  stack.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  return child;
}

/** The next thing that a process says. */
export async function word(child: ChildProcess): Promise<unknown> {
  const heard = new AbortController();
  const ended = once(child, 'exit', { signal: heard.signal }).then(() => Promise.reject(new Error('a process of the benchmark ended')));
  try {
    const [message] = (await Promise.race([once(child, 'message', { signal: heard.signal }), ended])) as [unknown];
    return message;
  } finally {
    heard.abort();
  }
}

export class BuiltInLoad implements Load {
  readonly name = 'built-in generator';
  readonly shortestMs = 500;
  readonly #child: ChildProcess;

  constructor(stack: AsyncDisposableStack) {
    this.#child = startScript('load.ts', [], stack);
  }

  async run(order: LoadOrder): Promise<LoadResult> {
    const result = word(this.#child);
    this.#child.send(order);
    return (await result) as LoadResult;
  }
}

/** `wrk`, one thread; it knows whole seconds only, and no warm-up. */
export class WrkLoad implements Load {
  readonly name = 'wrk, 1 thread';
  readonly shortestMs = 1000;

  async run(order: LoadOrder): Promise<LoadResult> {
    return this.#wrk(order, Math.max(1, Math.round(order.measureMs / 1000)));
  }

  async #wrk({ port, paths, connections }: LoadOrder, seconds: number): Promise<LoadResult> {
    const folder = await mkdtemp(join(tmpdir(), 'token-pool-bench-'));
    try {
      const script = join(folder, 'paths.lua');
      await writeFile(script, luaOf(paths));
      const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', script, `http://127.0.0.1:${port}`];
      return resultOf((await promisify(execFile)('wrk', args)).stdout);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

function luaOf(paths: readonly string[]): string {
  const requests = paths.map((path) => JSON.stringify(path)).join(',');
  return `local paths = {${requests}}
local requests, at = {}, 0
init = function() for i, path in ipairs(paths) do requests[i] = wrk.format("GET", path) end end
request = function() at = at % #requests + 1 return requests[at] end
`;
}

function resultOf(output: string): LoadResult {
  const number = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? 0);
  const failed = number(/Non-2xx or 3xx responses: (\d+)/) + [...(/Socket errors:(.*)/.exec(output)?.[1] ?? '').matchAll(/\d+/g)].reduce((sum, [n]) => sum + Number(n), 0);
  const answers = number(/(\d+) requests in/);
  return { answers, allAnswers: answers, failures: failed, seconds: answers / number(/Requests\/sec: +([\d.]+)/), p50Ms: msOf(output, '50'), p99Ms: msOf(output, '99') };
}

function msOf(output: string, percent: string): number {
  const match = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(output);
  return Number(match?.[1] ?? 0) * { us: 0.001, ms: 1, s: 1000 }[(match?.[2] ?? 'ms') as 'us' | 'ms' | 's'];
}
