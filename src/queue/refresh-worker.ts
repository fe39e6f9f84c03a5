import { Worker } from 'bullmq';

import type { Service } from '../runtime/lifecycle.ts';
import { refreshQueueName, type DueRefresh, type QueueOptions } from './refresh-queue.ts';

/** Rings when a refresh is due: hands the job's data on and is done with it. */
export class RefreshWorker implements Service {
  readonly name = 'refresh worker';
  readonly #options: QueueOptions;
  readonly #onDue: (refresh: DueRefresh) => void;
  readonly #onError: (error: Error) => void;
  #worker: Worker<DueRefresh> | undefined;

  constructor(options: QueueOptions, onDue: (refresh: DueRefresh) => void, onError: (error: Error) => void) {
    this.#options = options;
    this.#onDue = onDue;
    this.#onError = onError;
  }

  /** The worker connects in the background, and waits while Redis is away. */
  async start(): Promise<void> {
    if (this.#worker) return;
    this.#worker = new Worker<DueRefresh>(
      refreshQueueName,
      (job) => {
        this.#onDue(job.data);
        return Promise.resolve();
      },
      { ...this.#options, concurrency: 50, lockDuration: 20_000, stalledInterval: 10_000, maxStalledCount: 3, runRetryDelay: 500 },
    );
    this.#worker.on('error', this.#onError);
  }

  async stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.close(true).catch(() => undefined);
  }
}
