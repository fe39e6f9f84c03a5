import { Queue, QueueEvents, Worker } from 'bullmq';

import type { ErrorCode } from '../domain/errors.ts';
import type { QueueOptions } from './refresh-queue.ts';

const name = 'command';

/** What a follower has the master do. It names rows by number: never a token. */
export type Command = { readonly verb: 'refresh'; readonly ownerId: string; readonly version: number } | { readonly verb: 'restart'; readonly ownerId: string };

export type CommandResult = { readonly ok: true; readonly version: number } | { readonly ok: false; readonly code: ErrorCode };

/** Sends commands to the master and waits for what it answers. */
export class CommandSender {
  readonly #options: QueueOptions;
  readonly #eventsOptions: QueueOptions;
  readonly #onError: (error: Error) => void;
  #queue: Queue<Command, CommandResult> | undefined;
  #events: QueueEvents | undefined;

  /** @param eventsOptions a connection that may block */
  constructor(options: QueueOptions, eventsOptions: QueueOptions, onError: (error: Error) => void) {
    this.#options = options;
    this.#eventsOptions = eventsOptions;
    this.#onError = onError;
  }

  /** @throws Error where the master did not answer within `timeoutMs`, or Redis is away */
  async send(command: Command, timeoutMs: number): Promise<CommandResult> {
    const { queue, events } = this.#open();
    const job = await queue.add(command.verb, command, { attempts: 1, removeOnComplete: { age: 60 }, removeOnFail: { age: 60 } });
    try {
      return await job.waitUntilFinished(events, timeoutMs);
    } catch (error) {
      // A command nobody took must not be carried out later, when its caller is gone.
      await job.remove().catch(() => undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#events?.close().catch(() => undefined);
    await this.#queue?.close().catch(() => undefined);
  }

  #open(): { queue: Queue<Command, CommandResult>; events: QueueEvents } {
    if (!this.#queue) {
      this.#queue = new Queue(name, { ...this.#options });
      this.#queue.on('error', this.#onError);
    }
    if (!this.#events) {
      this.#events = new QueueEvents(name, { ...this.#eventsOptions });
      this.#events.on('error', this.#onError);
    }
    return { queue: this.#queue, events: this.#events };
  }
}

/** Carries commands out, on the master. */
export class CommandWorker {
  readonly name = 'command worker';
  readonly #options: QueueOptions;
  readonly #handle: (command: Command) => Promise<CommandResult>;
  readonly #onError: (error: Error) => void;
  #worker: Worker<Command, CommandResult> | undefined;

  constructor(options: QueueOptions, handle: (command: Command) => Promise<CommandResult>, onError: (error: Error) => void) {
    this.#options = options;
    this.#handle = handle;
    this.#onError = onError;
  }

   
  async start(): Promise<void> {
    if (this.#worker) return;
    this.#worker = new Worker<Command, CommandResult>(name, (job) => this.#handle(job.data), {
      ...this.#options,

      concurrency: 100,
      lockDuration: 20_000,
      stalledInterval: 10_000,
    });
    this.#worker.on('error', this.#onError);
  }

  async stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.close(true).catch(() => undefined);
  }
}
