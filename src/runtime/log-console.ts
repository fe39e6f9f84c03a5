import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

import { mostHeld } from './log-sink.ts';
import type { Complain, LogSink } from './log-sink.ts';

/** ms that a close waits for a reader that does not read. */
const longestClose = 2_000;

/**
 * Standard output or error. Where it is a pipe or a socket, Node.js writes to it without waiting: a reader that stalls does not stop
 * the service, and beyond 4 MB that wait, records are lost. A reader that is gone does not end the process. Either is told once.
 */
export class ConsoleSink implements LogSink {
  readonly #stream: Writable;
  readonly #complain: (text: string) => void;
  #closed = false;

  constructor(stream: Writable, complain: Complain) {
    this.#stream = stream;
    const told = new Set<string>();
    this.#complain = (text) => {
      if (!told.has(text)) complain(text);
      told.add(text);
    };
    stream.on('error', (error: NodeJS.ErrnoException) => this.#complain(`The log cannot be written to the console (${error.code ?? error.name}): records are lost.`));
  }

  write(text: string): void {
    if (this.#closed) return;
    if (this.#stream.writableLength < mostHeld) this.#stream.write(text);
    else this.#complain('The log on the console is not read fast enough: records are lost.');
  }

  async close(): Promise<void> {
    this.#closed = true;
    const written = new AbortController();
    this.#stream.write('', () => written.abort());
    await delay(longestClose, undefined, { signal: written.signal }).catch(() => undefined);
  }
}
