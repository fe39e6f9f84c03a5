import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { existingConfiguration, withPorts, writeConfiguration } from './node-configuration.ts';
import type { NodeConfiguration, PlacedConfiguration } from './node-configuration.ts';

export interface NodeOptions {
  /** What `config.yml` shall say; connectors without a port get a free one. */
  readonly config?: NodeConfiguration;
  /** Or a file that says it already. */
  readonly configPath?: string;
  /** Beside the environment of the tests, from which what concerns the test runner is taken out. */
  readonly env?: Readonly<Record<string, string>>;
  /** From the root of the repository, default `dist/main.js`. */
  readonly entry?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const root = join(import.meta.dirname, '../..');
const keptOutput = 8 * 1024 * 1024;

/** Starts the service as its users do: `node dist/main.js server <file>`. Returns at once; see {@link NodeProcess.waitReady}. */
export async function startNode(options: NodeOptions): Promise<NodeProcess> {
  const config = options.configPath === undefined ? await withPorts(options.config ?? {}) : undefined;
  const placed = options.configPath === undefined ? await writeConfiguration(config ?? {}) : await existingConfiguration(options.configPath);
  const child = spawn(process.execPath, [resolve(root, options.entry ?? 'dist/main.js'), 'server', placed.file], {
    cwd: root,
    env: { ...ownEnvironment(), ...options.env },
    // A group of its own: an interrupt at the terminal reaches the tests, which stop their nodes in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await once(child, 'spawn');
  return new NodeProcess({ ...options, ...(config ? { config } : {}) }, placed, child);
}

/** One node of the service; whatever way the tests end, it ends with them. */
export class NodeProcess {
  readonly pid: number;
  readonly appUrl: string;
  readonly adminUrl: string;
  /** Resolves when the process has ended. */
  readonly exited: Promise<Exit>;
  readonly #options: NodeOptions;
  readonly #child: ChildProcess;
  readonly #output: string[] = [];
  #outputLength = 0;
  #exit: Exit | null = null;

  constructor(options: NodeOptions, { appUrl, adminUrl, folder }: PlacedConfiguration, child: ChildProcess) {
    this.pid = child.pid ?? 0;
    this.appUrl = appUrl;
    this.adminUrl = adminUrl;
    this.#options = options;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => { this.#keep(text); });
    this.exited = this.#untilExit(guard(this.pid, folder), folder);
  }

  get isRunning(): boolean {
    return this.#exit === null;
  }

  /** All it wrote to stdout and stderr; of more than 8 MiB the end. */
  output(): string {
    return this.#output.join('');
  }

  /** Waits until `GET /ready` on the admin port says 200; a process that ends before is an error with its last words. */
  async waitReady(timeoutMs = 30_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await this.isReady(Math.max(1, Math.min(2000, deadline - performance.now()))))) {
      if (this.#exit) throw new Error(`the node ended (${this.#exit.code ?? this.#exit.signal}):\n${this.#lastWords()}`);
      if (performance.now() > deadline) throw new Error(`the node is not ready after ${timeoutMs} ms:\n${this.#lastWords()}`);
      await sleep(30);
    }
  }

  async isReady(timeoutMs = 2000): Promise<boolean> {
    try {
      const response = await fetch(`${this.adminUrl}/ready`, { signal: AbortSignal.timeout(timeoutMs) });
      await response.arrayBuffer();
      return response.status === 200;
    } catch {
      return false;
    }
  }

  /** SIGTERM, and SIGKILL after `timeoutMs`; gives the exit code, null if it had to be killed. */
  async stop(timeoutMs = 30_000): Promise<number | null> {
    this.resume();
    this.#child.kill('SIGTERM');
    const patience = setTimeout(() => { this.#child.kill('SIGKILL'); }, timeoutMs);
    const { code } = await this.exited;
    clearTimeout(patience);
    return code;
  }

  /** SIGKILL: no orderly end of anything. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }

  /** SIGSTOP: connections stay open and nothing answers, as in a long pause of the machine. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  /** A new process with the same configuration on the same ports, once this one has ended. */
  async again(): Promise<NodeProcess> {
    await this.exited;
    return startNode(this.#options);
  }

  async #untilExit(guardian: ChildProcess, folder: string | null): Promise<Exit> {
    this.#child.once('exit', (code, signal) => {
      this.#exit = { code, signal };
      // At once: the process id can be another's now.
      guardian.kill('SIGKILL');
    });
    await once(this.#child, 'close');
    if (folder !== null) await rm(folder, { recursive: true, force: true });
    return this.#exit ?? { code: null, signal: null };
  }

  #keep(text: string): void {
    this.#output.push(text);
    this.#outputLength += text.length;
    while (this.#outputLength > keptOutput) this.#outputLength -= this.#output.shift()?.length ?? 0;
  }

  #lastWords(): string {
    return this.output().trimEnd().split('\n').slice(-20).join('\n');
  }
}

/** What concerns the test runner would make the service behave as under test. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|TEST$|NODE_ENV$|NODE_OPTIONS$|DEV$|PROD$|MODE$|SSR$)/.test(name)));
}

/**
 * A shell that reads a pipe nobody writes to: the pipe closes when this process ends, in whatever way, and the shell
 * takes the node and its folder along. An exit handler would not run after SIGKILL. The node's courier ends when nobody
 * writes to it any more, unless it is paused.
 */
function guard(pid: number, folder: string | null): ChildProcess {
  const script = 'read -r never; kill -CONT $(cat "/proc/$1/task/$1/children" 2>/dev/null); kill -KILL "$1"; [ -z "$2" ] || rm -rf "$2"';
  const shell = spawn('/bin/sh', ['-c', script, 'guard', String(pid), folder ?? ''], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  shell.unref();
  if (shell.stdin instanceof Socket) shell.stdin.unref();
  return shell;
}
