import { closeSync, constants, fstatSync, openSync, write } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

import { mostHeld } from './log-sink.ts';
import type { Complain, LogSink } from './log-sink.ts';

const writeSome = promisify(write);
/** ms between two tries to write to a pipe that is full. */
const fullPipePause = 5;
/** ms that a close waits for a reader that does not read. */
const longestClose = 2_000;

/**
 * Standard output or error, written in the background. A reader that stalls does not stop the service: records wait in memory, and
 * beyond 4 MB they are lost. A reader that is gone ends the output. Either is told once.
 */
export class ConsoleSink implements LogSink {
  readonly #descriptor: number;
  readonly #complain: (text: string) => void;
  #waiting: string[] = [];
  #held = 0;
  #loop: Promise<void> | undefined;
  #closed = false;
  #givenUp = false;

  /** @param descriptor of the open stream, 1 or 2 */
  constructor(descriptor: number, complain: Complain) {
    this.#descriptor = withoutBlocking(descriptor);
    const told = new Set<string>();
    this.#complain = (text) => {
      if (!told.has(text)) complain(text);
      told.add(text);
    };
  }

  write(text: string): void {
    if (this.#closed) return;
    if (this.#held + text.length > mostHeld) {
      this.#complain('The log on the console is not read fast enough: records are lost.');
      return;
    }
    this.#waiting.push(text);
    this.#held += text.length;
    this.#loop ??= this.#run();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const ending = new AbortController();
    await Promise.race([this.#loop, delay(longestClose, undefined, { signal: ending.signal }).catch(() => undefined)]);
    ending.abort();
    this.#givenUp = true;
    await this.#loop;
    if (this.#descriptor > 2) closeSync(this.#descriptor);
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0 && !this.#givenUp) {
      const batch = this.#waiting.join('');
      this.#waiting = [];
      await this.#writeAll(Buffer.from(batch));
      this.#held -= batch.length;
    }
    this.#loop = undefined;
  }

  async #writeAll(bytes: Buffer): Promise<void> {
    let done = 0;
    while (done < bytes.length && !this.#givenUp) {
      try {
        done += (await writeSome(this.#descriptor, bytes, done)).bytesWritten;
      } catch (error) {
        const { code = 'error' } = error as NodeJS.ErrnoException;
        if (code === 'EAGAIN') {
          await delay(fullPipePause);
          continue;
        }
        this.#complain(`The log cannot be written to the console (${code}): records are lost.`);
        this.#closed ||= code === 'EPIPE';
        return;
      }
    }
  }
}

/**
 * A pipe opened once more, so that a write to a full one returns at once and neither holds a thread nor keeps the process from ending;
 * the way it is open for others is not changed. Everything else is used as it is.
 */
function withoutBlocking(descriptor: number): number {
  try {
    if (!fstatSync(descriptor).isFIFO()) return descriptor;
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return descriptor;
  }
}
