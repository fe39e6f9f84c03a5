import { pino } from 'pino';

import { mostHeld } from './log-sink.ts';
import type { Complain, LogSink } from './log-sink.ts';

const longestFlush = 2_000;

/**
 * Standard output or error, written in the background: a reader that stalls does not stop the service, it loses records once 4 MB wait.
 * A reader that is gone ends the output silently.
 */
export class ConsoleSink implements LogSink {
  readonly #stream: ReturnType<typeof pino.destination>;
  #closed = false;

  /** @param descriptor of the open stream, 1 or 2 */
  constructor(descriptor: number, complain: Complain) {
    this.#stream = pino.destination({ dest: descriptor, sync: false, minLength: 0, maxLength: mostHeld });
    this.#stream.once('drop', () => complain('The log on the console is not read fast enough: records are lost.'));
    let complained = false;
    this.#stream.on('error', (error: NodeJS.ErrnoException) => {
      if (!complained) complain(`The log cannot be written to the console (${error.code ?? error.name}): records are lost.`);
      complained = true;
    });
  }

  write(text: string): void {
    if (!this.#closed) this.#stream.write(text);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await new Promise<void>((resolve) => {
      const givingUp = setTimeout(resolve, longestFlush);
      this.#stream.once('close', () => {
        clearTimeout(givingUp);
        resolve();
      });
      this.#stream.end();
    });
  }
}
