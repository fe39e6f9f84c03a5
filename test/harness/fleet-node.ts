import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { startNode, type NodeOptions, type NodeProcess } from './node-process.ts';

const restartAfterMs = 300;

/** A node that takes longer to be ready is not merely starting, ms. */
const longestStartMs = 20_000;

/** Of a node's two processes. */
export type Part = 'service' | 'courier' | 'both';

/** A node that is started again whenever it ends, as an orchestrator does. Its ports, its journal and its name stay. */
export class FleetNode {
  readonly name: string;
  /** Logs of the runs that have ended. */
  readonly #ended: string[] = [];
  readonly #process: NodeProcess;
  #running: NodeProcess;
  #stopping = false;
  readonly #watching: Promise<void>;
  #isStarting = true;
  #isLeaving = false;
  starts = 1;

  constructor(name: string, process: NodeProcess) {
    this.name = name;
    this.#process = process;
    this.#running = process;
    void this.#start();
    this.#watching = this.#watch();
  }

  static async start(name: string, options: NodeOptions): Promise<FleetNode> {
    return new FleetNode(name, await startNode(options));
  }

  get appUrl(): string {
    return this.#process.appUrl;
  }

  get adminUrl(): string {
    return this.#process.adminUrl;
  }

  get process(): NodeProcess {
    return this.#running;
  }

  get logs(): string[] {
    return [...this.#ended, this.#running.output()];
  }

  /** Whether it ought to answer: it runs, is not paused, was not told to end, and has been ready or had time enough for that. */
  get isUp(): boolean {
    return this.#running.isRunning && !this.#isStarting && !this.#isLeaving && !isPaused(this.#running.pid);
  }

  /** The process id of its courier; undefined while there is none. */
  get courierPid(): number | undefined {
    try {
      const { pid } = this.#running;
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
      return children.find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('courier'));
    } catch {
      return undefined;
    }
  }

  /** The process ids of what runs of it now. Whoever pauses them continues these: what has their place by then may be others. */
  processIds(part: Part): number[] {
    const { courierPid } = this;
    const courier = part === 'service' || courierPid === undefined ? [] : [courierPid];
    return part === 'courier' || !this.#running.isRunning ? courier : [...courier, this.#running.pid];
  }

  signal(name: NodeJS.Signals): void {
    if (name === 'SIGTERM') this.#isLeaving = true;
    sendSignal(this.#running.pid, name);
  }

  signalCourier(name: NodeJS.Signals): void {
    const pid = this.courierPid;
    if (pid !== undefined) sendSignal(pid, name);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running.stop();
    await this.#watching;
    // One that was being started again meanwhile.
    await this.#running.stop();
  }

  async #watch(): Promise<void> {
    do await this.#running.exited;
    while (await this.#startAgain());
  }

  /** @returns false where it is to be no more */
  async #startAgain(): Promise<boolean> {
    if (this.#stopping) return false;
    await sleep(restartAfterMs);
    this.#ended.push(this.#running.output());
    this.#isStarting = true;
    this.#isLeaving = false;
    this.#running = await this.#running.again();
    void this.#start();
    this.starts++;
    return !this.#stopping;
  }

  async #start(): Promise<void> {
    const started = this.#running;
    await started.waitReady(longestStartMs).catch(() => undefined);
    if (started === this.#running) this.#isStarting = false;
  }
}

function isPaused(pid: number): boolean {
  try {
    return /\) [Tt] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

export function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended already.
  }
}
