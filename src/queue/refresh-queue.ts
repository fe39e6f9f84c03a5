import { Queue, type ConnectionOptions } from 'bullmq';

import { StoreUnavailable } from '../domain/errors.ts';
import { within } from './within.ts';

export const refreshQueueName = 'refresh';

export interface DueRefresh {
  /** The version of the token that is due. */
  readonly version: number;
  readonly ownerDid: number;
  /** Epoch ms of the cluster's clock. */
  readonly dueAt: number;
}

export interface QueueOptions {
  readonly connection: ConnectionOptions;
  /** With a hash tag, so that all keys of a queue are in one slot of a Redis Cluster. */
  readonly prefix: string;
}

/** How long a first connection may take, ms: BullMQ itself would wait for it without end. */
const connectMs = 2000;
/** How many jobs go into one transaction of Redis: more would hold up others' reads. */
const batchSize = 250;

/**
 * One delayed job for each planned refresh. The queue is an alarm clock and nothing else: a job that is lost, late or runs twice
 * costs time or nothing, since the reconciler finds what is due and a claim decides who may refresh.
 */
export class RefreshQueue {
  readonly #queue: Queue<DueRefresh>;
  readonly #now: () => number;
  readonly #openedAt = performance.now();
  readonly #connected: Promise<void>;
  #wasConnected = false;

  constructor(options: QueueOptions, now: () => number, onError: (error: Error) => void) {
    // A check that fails, as when Redis dies at that moment, would leave the queue unusable for good. The worker's is needed, and is repeated.
    this.#queue = new Queue<DueRefresh>(refreshQueueName, { ...options, skipVersionCheck: true, defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true } });
    this.#queue.on('error', onError);
    this.#now = now;
    const connected = (): void => void (this.#wasConnected = true);
    this.#connected = this.#queue.waitUntilReady().then(connected);
    this.#connected.catch(onError);
  }

  /** Plans refreshes; one that is planned already stays as it is. @throws StoreUnavailable */
  async schedule(refreshes: readonly DueRefresh[]): Promise<void> {
    for (let start = 0; start < refreshes.length; start += batchSize) {
      const jobs = refreshes.slice(start, start + batchSize).map((refresh) => this.#job(refresh));
      await this.#call(() => this.#queue.addBulk(jobs));
    }
  }

  /** Jobs by state. @throws StoreUnavailable */
  async counts(): Promise<Record<'waiting' | 'delayed' | 'active' | 'failed', number>> {
    const counts = await this.#call(() => this.#queue.getJobCounts('waiting', 'delayed', 'active', 'failed'));
    return { waiting: counts['waiting'] ?? 0, delayed: counts['delayed'] ?? 0, active: counts['active'] ?? 0, failed: counts['failed'] ?? 0 };
  }

  async close(): Promise<void> {
    await this.#queue.close().catch(() => undefined);
  }

  #job(refresh: DueRefresh): { name: string; data: DueRefresh; opts: { jobId: string; delay: number } } {
    const dueAt = Math.floor(refresh.dueAt);
    // The plan is part of the id: an id that exists is ignored, even while its job runs.
    return { name: 'refresh', data: { version: refresh.version, ownerDid: refresh.ownerDid, dueAt }, opts: { jobId: `t${refresh.version}-${dueAt}`, delay: Math.max(0, Math.floor(dueAt - this.#now())) } };
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    try {
      if (!this.#wasConnected) await within(Math.max(0, this.#openedAt + connectMs - performance.now()), this.#connected);
      return await work();
    } catch (error) {
      throw new StoreUnavailable('redis', error);
    }
  }
}
