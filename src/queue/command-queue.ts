import { setTimeout as delay } from 'node:timers/promises';

import { Queue, Worker, type Job } from 'bullmq';

import type { ErrorCode } from '../domain/errors.ts';
import type { Service } from '../runtime/lifecycle.ts';
import type { QueueOptions } from './refresh-queue.ts';
import { within } from './within.ts';

const name = 'command';

/** What a follower has the master do. It names rows by number: never a token. */
export type Command = { readonly verb: 'refresh'; readonly ownerId: string; readonly version: number } | { readonly verb: 'restart'; readonly ownerId: string };

export type CommandResult =
  | { readonly ok: true; readonly version: number }
  /** `again`: nothing was begun, or another node is at it still, as when the master changes; soon it may be otherwise. */
  | { readonly ok: false; readonly code: ErrorCode; readonly again?: boolean };

/** A command on its way. */
interface Errand {
  readonly command: Command;
  /** Epoch ms of the cluster's clock. */
  readonly sentAt: number;
  /** The same, after which no master begins with it any more. */
  readonly until: number;
  /** The same, after which nobody can be waiting for its answer. */
  readonly answeredBy: number;
}

/** How long an answer is kept for whoever waits for it, s. */
const keptFor = 60;
/** How long a first connection may take, ms. */
const connectMs = 2000;
/** After this time, ms, a command that was taken up in time is seen to be. */
const certaintyMs = 500;
/** Pauses between two looks for an answer, ms. */
const firstPauseMs = 5;
const longestPauseMs = 200;
/** A master is held for dead, by its commands, when it has not said for this time, ms, that it is at them still. */
const lockMs = 5000;
/** Time between two looks for commands of dead masters, ms; the second one after the lock has ended finds them. */
const lookMs = 2000;

/** @param begunAfter epoch ms of the cluster's clock, where a master has begun with it before: after that moment */
export type HandleCommand = (command: Command, begunAfter?: number) => Promise<CommandResult>;

/** Sends commands to the master and waits for what it answers. */
export class CommandSender {
  readonly #options: QueueOptions;
  readonly #now: () => number;
  readonly #onError: (error: Error) => void;
  #queue: Queue<Errand, CommandResult> | undefined;

  /** @param now epoch ms of the cluster's clock */
  constructor(options: QueueOptions, now: () => number, onError: (error: Error) => void) {
    this.#options = options;
    this.#now = now;
    this.#onError = onError;
  }

  /**
   * @param takenUpMs how long it may lie before a master begins with it
   * @throws Error where no master took it up or answered in time, or Redis is away: a master that has not begun with it will not
   */
  async send(command: Command, timeoutMs: number, takenUpMs = timeoutMs): Promise<CommandResult> {
    const stopLooking = new AbortController();
    const now = this.#now();
    try {
      return await within(timeoutMs, this.#haveDone({ command, sentAt: now, until: now + takenUpMs, answeredBy: now + timeoutMs }, stopLooking.signal));
    } finally {
      stopLooking.abort();
    }
  }

  async close(): Promise<void> {
    await this.#queue?.close().catch(() => undefined);
  }

  async #haveDone(errand: Errand, signal: AbortSignal): Promise<CommandResult> {
    // BullMQ would wait for a Redis that was never there, and send the command when it comes.
    await within(connectMs, this.#open().waitUntilReady());
    const { id } = await this.#open().add(errand.command.verb, errand, { attempts: 1, removeOnComplete: { age: keptFor }, removeOnFail: { age: keptFor } });
    return this.#answerTo(id ?? '', signal);
  }

  /** Looks for the answer: an event of it could be lost with a connection. */
  async #answerTo(id: string, signal: AbortSignal): Promise<CommandResult> {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      await delay(pauseMs, undefined, { signal });
      const job = (await this.#open().getJob(id)) as Job<Errand, CommandResult> | undefined;
      if (!job) throw new Error('Redis has lost the command');
      if (job.processedOn === undefined && this.#now() > job.data.until + certaintyMs) throw new Error('No master takes the command up');
      if (job.failedReason) throw new Error('The command failed');
      if (job.finishedOn !== undefined) return job.returnvalue;
    }
  }

  #open(): Queue<Errand, CommandResult> {
    if (!this.#queue) {
      this.#queue = new Queue(name, { ...this.#options, skipVersionCheck: true });
      this.#queue.on('error', this.#onError);
    }
    return this.#queue;
  }
}

/** Carries commands out, on the master. One that nobody waits for any more is passed over. */
export class CommandWorker implements Service {
  readonly name = 'command worker';
  readonly #options: QueueOptions;
  readonly #now: () => number;
  readonly #handle: HandleCommand;
  readonly #onError: (error: Error) => void;
  #worker: Worker<Errand, CommandResult> | undefined;

  /** @param now epoch ms of the cluster's clock */
  constructor(options: QueueOptions, now: () => number, handle: HandleCommand, onError: (error: Error) => void) {
    this.#options = options;
    this.#now = now;
    this.#handle = handle;
    this.#onError = onError;
  }

  /** The worker connects in the background, and waits while Redis is away. */
  async start(): Promise<void> {
    if (this.#worker) return;
    this.#worker = new Worker<Errand, CommandResult>(name, (job) => this.#carryOut(job), { ...this.#options, concurrency: 100, lockDuration: lockMs, stalledInterval: lookMs, maxStalledCount: 3, runRetryDelay: 500 });
    this.#worker.on('error', this.#onError);
  }

  /** Takes no more commands; those under way go on and are answered. */
  async stop(): Promise<void> {
    this.#worker?.close().catch(this.#onError);
    this.#worker = undefined;
  }

  /** One that a master had begun with before it fell silent is carried out as long as its sender may be waiting. */
  async #carryOut({ data: { command, sentAt, until, answeredBy }, stalledCounter }: Job<Errand, CommandResult>): Promise<CommandResult> {
    const wasBegun = stalledCounter > 0;
    if (this.#now() >= (wasBegun ? answeredBy : until)) return { ok: false, code: 'TPS0012' };
    return wasBegun ? this.#handle(command, sentAt) : this.#handle(command);
  }
}
