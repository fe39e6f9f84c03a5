import { fork, type ChildProcess } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Logger } from '../runtime/log.ts';
import { packed, unpacked, type FromCourier, type RecordingFault, type ToCourier } from './courier-message.ts';

const entry = fileURLToPath(new URL(`../courier${extname(import.meta.url)}`, import.meta.url));

/** It holds a few hundred answers at most. */
const memoryLimits = ['--max-old-space-size=128', '--max-semi-space-size=4'];

export interface CourierProcessEvents {
  readonly onAnswer: (message: FromCourier & { type: 'answer' }) => void;
  readonly onFault: (fault: RecordingFault) => void;
  /** It takes errands from now on. */
  readonly onReady: () => void;
  /** It is gone; every answer that it had handed over has been delivered. */
  readonly onEnd: () => void;
}

/** One run of the courier's process, seen from the service. */
export class CourierProcess {
  readonly #child: ChildProcess;
  readonly #logger: Logger;

  /** @param env the whole environment of the process: it inherits nothing */
  constructor(setup: object, env: Readonly<Record<string, string>>, logger: Logger, events: CourierProcessEvents) {
    this.#logger = logger;
    // In a session of its own, signals to the group of the service, and the end of its terminal, do not reach it.
    this.#child = fork(entry, [], { serialization: 'advanced', detached: true, execArgv: memoryLimits, env: { ...env }, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#child.on('message', (message) => this.#receive(unpacked(message) as FromCourier, events));
    this.#child.on('error', (error) => logger.error({ reason: error.message }, 'The courier cannot be reached'));
    // `exit` alone can come before the last messages have been read.
    void Promise.all([this.#happens('disconnect'), this.#happens('exit')]).then(events.onEnd);
    this.send({ type: 'start', setup });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @returns false where it surely does not get the message */
  send(message: ToCourier): boolean {
    if (!this.#child.connected) return false;
    this.#child.send(packed(message), () => undefined);
    return true;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #receive(message: FromCourier, events: CourierProcessEvents): void {
    if (message.type === 'ready') events.onReady();
    else if (message.type === 'answer') events.onAnswer(message);
    else if (message.type === 'fault') events.onFault(message.fault);
    else this.#logger[message.level]({ ...message.fields, process: 'courier' }, message.message);
  }

  /** A process that could not be started ends by `error` alone. */
  #happens(event: 'disconnect' | 'exit'): Promise<void> {
    return new Promise((resolve) => {
      this.#child.once(event, () => resolve());
      this.#child.once('error', () => this.#child.pid === undefined && resolve());
    });
  }
}
