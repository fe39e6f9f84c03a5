import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ServerCommand {
  /** For messages: what did not start. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** The server's own; removed with all it holds by `remove`, or when this process ends. */
  readonly folder: string;
  /** True once the server of this process id, and no other, answers. */
  readonly answers: (pid: number) => Promise<boolean>;
}

const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 30_000;
const LOOK_INTERVAL_MS = 15;

/**
 * A server a test owns: started, stopped, killed and frozen by process id, never by name. It runs in a process
 * group of its own, so that ctrl-C reaches the tests and not the servers their clean-up still needs.
 */
export class ServerProcess {
  readonly #command: ServerCommand;
  #child: ChildProcess | undefined;
  #guard: ChildProcess;

  constructor(command: ServerCommand) {
    this.#command = command;
    this.#guard = guard(command.folder);
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.#command.name} was never started`);
    return pid;
  }

  get isRunning(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  async start(): Promise<void> {
    const { name, program, args, folder } = this.#command;
    const log = openSync(this.#logFile, 'a');
    const child = spawn(program, args, { cwd: folder, detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    await once(child, 'spawn').catch((cause: unknown) => { throw new Error(`${name} cannot be run: ${program}`, { cause }); });
    child.unref();
    this.#child = child;
    this.#guardFrom(guard(folder, this.pid));
    await this.#untilItAnswers();
  }

  /** An orderly end (SIGTERM); a server that ignores it for 30 s is killed. */
  async stop(): Promise<void> {
    if (!this.isRunning) return;
    this.thaw();
    this.#signal('SIGTERM');
    if (!await this.#hasEndedWithin(STOP_DEADLINE_MS)) this.#signal('SIGKILL');
    await this.#hasEnded();
  }

  /** The end without warning (SIGKILL): nothing is flushed, nothing is said to clients. */
  async kill(): Promise<void> {
    this.#signal('SIGKILL');
    await this.#hasEnded();
  }

  /** Stops the server and removes its folder; it cannot be started again. */
  async remove(): Promise<void> {
    await this.stop();
    this.#guard.kill('SIGKILL');
    await rm(this.#command.folder, { recursive: true, force: true });
  }

  /** Connections stay open and nothing answers any more (SIGSTOP), as on a machine that hangs. */
  freeze(): void {
    this.#signal('SIGSTOP');
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  get #logFile(): string {
    return join(this.#command.folder, 'server.log');
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child?.kill(signal);
  }

  async #hasEndedWithin(milliseconds: number): Promise<boolean> {
    const deadline = Date.now() + milliseconds;
    while (this.isRunning && Date.now() < deadline) await sleep(LOOK_INTERVAL_MS);
    return !this.isRunning;
  }

  async #hasEnded(): Promise<void> {
    if (!await this.#hasEndedWithin(STOP_DEADLINE_MS)) throw new Error(`${this.#command.name} does not end`);
    // The process id is free to be another's now.
    this.#guardFrom(guard(this.#command.folder));
  }

  async #untilItAnswers(): Promise<void> {
    const deadline = Date.now() + START_DEADLINE_MS;
    while (!await this.#command.answers(this.pid)) {
      if (!this.isRunning) throw this.#startFailure('ended at once');
      if (Date.now() > deadline) {
        await this.kill();
        throw this.#startFailure(`did not answer within ${String(START_DEADLINE_MS / 1000)} s`);
      }
      await sleep(LOOK_INTERVAL_MS);
    }
  }

  #startFailure(how: string): Error {
    const lastWords = readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
    return new Error(`${this.#command.name} ${how}:\n${lastWords}`);
  }

  #guardFrom(next: ChildProcess): void {
    this.#guard.kill('SIGKILL');
    this.#guard = next;
  }
}

/**
 * A shell that reads a pipe nobody writes to. The pipe closes when this process ends, in whatever way, and the
 * shell then takes the server and its folder along. An exit handler would not run after SIGKILL.
 */
function guard(folder: string, pid?: number): ChildProcess {
  const script = 'read -r never; [ -z "$2" ] || kill -KILL "$2"; sleep 0.2; rm -rf "$1"';
  const args = ['-c', script, 'guard', folder, ...(pid === undefined ? [] : [String(pid)])];
  const shell = spawn('/bin/sh', args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  shell.unref();
  if (shell.stdin instanceof Socket) shell.stdin.unref();
  return shell;
}
