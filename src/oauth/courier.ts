import { setTimeout as delay } from 'node:timers/promises';

import type { Service } from '../runtime/lifecycle.ts';
import type { Logger } from '../runtime/log.ts';
import type { RecordingFault } from './courier-message.ts';
import { CourierProcess } from './courier-process.ts';
import { recordingLimitMs, type Errand, type ErrandAnswer } from './errand.ts';
import { refreshRequest } from './refresh-request.ts';
import type { SendOptions } from './send.ts';

/** What the courier is told when it starts; the rest is known to its own entry. */
export interface CourierSetup {
  readonly send: SendOptions;
}

/** For whoever counts. */
export interface CourierEvents {
  readonly onFault?: (fault: RecordingFault) => void;
  /** It ended by itself and is started again. */
  readonly onRestart?: () => void;
}

const startLimitMs = 20_000;
const waitForCourierMs = 2000;
const backoffMs = { first: 100, longest: 5000 };
/** For work of the process itself, beyond the deadlines of an errand. */
const slackMs = 3000;

/** No failure of the provider, so it counts as no attempt. */
const notRunning: ErrandAnswer = { kind: 'given_back' };
const noWord: ErrandAnswer = { kind: 'in_doubt', status: null, detail: 'the courier ended without an answer' };

/**
 * The service's side of the courier: a small process of its own that sends refresh requests, so that the end of the service, however sudden,
 * does not lose an answer. When it ends itself, it is started again, and what it had under way is in doubt.
 */
export class Courier implements Service {
  readonly name = 'courier';
  readonly #setup: CourierSetup;
  readonly #logger: Logger;
  readonly #env: Readonly<Record<string, string>>;
  readonly #events: CourierEvents;
  readonly #outstanding = new Map<string, { resolve: (answer: ErrandAnswer) => void; overdue: NodeJS.Timeout }>();
  #process: CourierProcess | undefined;
  #isUp = false;
  #up: PromiseWithResolvers<void> = Promise.withResolvers();
  #ended: PromiseWithResolvers<void> = Promise.withResolvers();
  #restart: NodeJS.Timeout | undefined;
  #backoffMs = backoffMs.first;
  #state: 'stopped' | 'running' | 'stopping' = 'stopped';

  /** @param env the environment of the process, such as `NODE_EXTRA_CA_CERTS`; it inherits nothing, for secrets may stand in ours */
  constructor(setup: CourierSetup, logger: Logger, env: Readonly<Record<string, string>> = {}, events: CourierEvents = {}) {
    this.#setup = setup;
    this.#logger = logger;
    this.#env = env;
    this.#events = events;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Rejects where the courier cannot be started. */
  async start(): Promise<void> {
    if (this.#state !== 'stopped') return;
    this.#state = 'running';
    this.#launch();
    const ended = this.#ended.promise.then(() => Promise.reject(new Error('The courier ended while it was starting')));
    await Promise.race([this.#up.promise, ended, failAfter(startLimitMs)]);
  }

  /** Waits for the errands under way, as long as their deadlines allow. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#state = 'stopping';
    clearTimeout(this.#restart);
    const process = this.#process;
    if (process) {
      process.send({ type: 'stop' });
      const kill = setTimeout(() => process.kill(), this.#longestErrandMs);
      await this.#ended.promise;
      clearTimeout(kill);
    }
    this.#state = 'stopped';
  }

  /**
   * Has the refresh token presented once; what is granted is kept in a durable place before this resolves, whenever one can be reached.
   * @throws ServiceError TPS0018, TPS0019 or TPS0015 where the row cannot make a request; nothing was sent then
   */
  async post(errand: Errand): Promise<ErrandAnswer> {
    refreshRequest(errand);
    if (!(await this.#comesUp())) return notRunning;
    const { promise, resolve } = Promise.withResolvers<ErrandAnswer>();
    this.#outstanding.set(errand.attempt, { resolve, overdue: setTimeout(() => this.#onOverdue(errand.attempt), this.#longestErrandMs) });
    if (!this.#process?.send({ type: 'errand', errand })) this.#settle(errand.attempt, notRunning);
    return promise;
  }

  get #longestErrandMs(): number {
    const { connectTimeoutMs, answerTimeoutMs } = this.#setup.send;
    return connectTimeoutMs + answerTimeoutMs + 2 * recordingLimitMs + slackMs;
  }

  async #comesUp(): Promise<boolean> {
    if (this.#state !== 'running') return false;
    if (this.#isUp) return true;
    const tooLong = new AbortController();
    await Promise.race([this.#up.promise, delay(waitForCourierMs, undefined, { signal: tooLong.signal })]);
    tooLong.abort();
    return this.#isUp;
  }

  #launch(): void {
    const begun = performance.now();
    this.#ended = Promise.withResolvers();
    this.#process = new CourierProcess(this.#setup, this.#env, this.#logger, {
      onReady: () => this.#onUp(),
      onAnswer: ({ attempt, answer }) => this.#settle(attempt, answer),
      onFault: (fault) => this.#events.onFault?.(fault),
      onEnd: () => this.#onEnd(performance.now() - begun),
    });
  }

  #onUp(): void {
    this.#isUp = true;
    this.#up.resolve();
  }

  #onEnd(ranForMs: number): void {
    this.#process = undefined;
    if (this.#isUp) this.#up = Promise.withResolvers();
    this.#isUp = false;
    for (const attempt of [...this.#outstanding.keys()]) this.#settle(attempt, noWord);
    this.#ended.resolve();
    if (this.#state !== 'running') return;
    if (ranForMs > backoffMs.longest) this.#backoffMs = backoffMs.first;
    this.#logger.error({ restartInMs: this.#backoffMs }, 'The courier ended; it is started again');
    this.#events.onRestart?.();
    this.#restart = setTimeout(() => this.#launch(), this.#backoffMs);
    this.#backoffMs = Math.min(this.#backoffMs * 2, backoffMs.longest);
  }

  #settle(attempt: string, answer: ErrandAnswer): void {
    const errand = this.#outstanding.get(attempt);
    clearTimeout(errand?.overdue);
    this.#outstanding.delete(attempt);
    errand?.resolve(answer);
  }

  /** Every wait of the courier has a deadline, so one that is overdue hangs. */
  #onOverdue(attempt: string): void {
    const errand = this.#outstanding.get(attempt);
    const process = this.#process;
    if (errand === undefined) return;
    // Where this process itself was paused, answers wait to be read first.
    errand.overdue = setTimeout(() => {
      this.#logger.error({ attempt }, 'The courier does not answer; it is ended');
      process?.kill();
    }, slackMs);
  }
}

function failAfter(ms: number): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`The courier was not ready within ${ms} ms`)), ms).unref();
  });
}
