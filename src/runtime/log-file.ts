import { mkdir, open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { LogArchive } from './log-archive.ts';
import { mostHeld } from './log-sink.ts';
import type { Complain, LogSink } from './log-sink.ts';

interface Line {
  readonly text: string;
  readonly time: number;
}

export interface FileSinkOptions {
  readonly file: string;
  /** Absent: the file is never moved away. */
  readonly archive?: LogArchive | undefined;
  readonly complain: Complain;
  /** ms to wait after a failure. */
  readonly retryAfter?: number;
}

/**
 * A log file, moved to its archive by the first record of a new period, as logback does it.
 *
 * Written in the background, in order, by one loop. While the file cannot be written (no folder, no rights, disk full), records wait
 * in memory up to 4 MB, then the new ones are lost; both ends of the outage are told once. The place reached in a record is kept,
 * so an outage neither doubles nor tears a line. Not for two processes on one file.
 */
export class FileSink implements LogSink {
  readonly #options: FileSinkOptions;
  readonly #closing = new AbortController();
  #waiting: Line[] = [];
  #held = 0;
  #lost = 0;
  #failing = false;
  #loop: Promise<void> | undefined;
  #housekeeping: Promise<void> = Promise.resolve();
  #handle: FileHandle | undefined;
  /** Time of the newest record in the file. */
  #newest = 0;

  constructor(options: FileSinkOptions) {
    this.#options = options;
  }

  write(text: string, time: number): void {
    if (this.#closing.signal.aborted || this.#held + text.length > mostHeld) {
      this.#lost += 1;
      return;
    }
    this.#waiting.push({ text, time });
    this.#held += text.length;
    this.#loop ??= this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#loop;
    await this.#housekeeping;
    await this.#handle?.close().catch(() => undefined);
    this.#handle = undefined;
    if (this.#lost > 0) this.#options.complain(`The log file ${this.#options.file} lost ${this.#lost} records.`);
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch();
      const lastTry = this.#closing.signal.aborted;
      if (await this.#writeAll(batch, lastTry)) continue;
      this.#lost += batch.length + this.#waiting.length;
      this.#waiting = [];
    }
    this.#loop = undefined;
  }

  /** The waiting records of one period. */
  #nextBatch(): Line[] {
    const { archive } = this.#options;
    const period = archive?.period(this.#waiting[0]?.time ?? 0);
    const other = archive ? this.#waiting.findIndex(({ time }) => archive.period(time) !== period) : -1;
    return this.#waiting.splice(0, other < 0 ? this.#waiting.length : other);
  }

  /** @returns false: the sink was closed before it could be done */
  async #writeAll(batch: readonly Line[], lastTry: boolean): Promise<boolean> {
    const bytes = Buffer.from(batch.map(({ text }) => text).join(''));
    const time = batch.at(-1)?.time ?? 0;
    let done = 0;
    for (let last = lastTry; ; last = this.#closing.signal.aborted) {
      try {
        const handle = await this.#fileFor(time);
        while (done < bytes.length) done += (await handle.write(bytes, done)).bytesWritten;
        this.#succeeded(batch, time);
        return true;
      } catch (error) {
        this.#failed(error);
        if (last) return false;
        await delay(this.#options.retryAfter ?? 1_000, undefined, { ref: false, signal: this.#closing.signal }).catch(() => undefined);
      }
    }
  }

  async #fileFor(time: number): Promise<FileHandle> {
    const { file, archive } = this.#options;
    if (!this.#handle) await this.#open(file);
    if (archive && time > this.#newest && this.#newest > 0 && archive.period(time) !== archive.period(this.#newest)) {
      await this.#moveAway(file, archive, time);
      await this.#open(file);
    }
    if (!this.#handle) throw new Error('closed');
    return this.#handle;
  }

  async #open(file: string): Promise<void> {
    await mkdir(dirname(file), { recursive: true });
    this.#handle = await open(file, 'a');
    const { size, mtimeMs } = await stat(file);
    this.#newest = size === 0 ? 0 : Math.max(this.#newest, mtimeMs);
  }

  /** A file that cannot be moved is written on: the archive matters less than the records. */
  async #moveAway(file: string, archive: LogArchive, time: number): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    try {
      const moved = await archive.take(file, this.#newest);
      this.#newest = 0;
      this.#housekeeping = this.#housekeeping.then(async () => this.#finish(moved, archive));
    } catch (error) {
      this.#newest = time;
      this.#options.complain(`The log file ${file} could not be archived (${reason(error)}); it is written on.`);
    }
  }

  async #finish(moved: string, archive: LogArchive): Promise<void> {
    await archive.finish(moved).catch((error: unknown) => {
      this.#options.complain(`The archived log ${moved} could not be finished (${reason(error)}).`);
    });
  }

  #succeeded(batch: readonly Line[], time: number): void {
    this.#newest = Math.max(this.#newest, time);
    this.#held -= batch.reduce((sum, { text }) => sum + text.length, 0);
    if (!this.#failing) return;
    this.#failing = false;
    this.#options.complain(`The log file ${this.#options.file} is written again; ${this.#lost} records were lost.`);
    this.#lost = 0;
  }

  #failed(error: unknown): void {
    if (!this.#failing) this.#options.complain(`The log file ${this.#options.file} cannot be written (${reason(error)}).`);
    this.#failing = true;
    const broken = this.#handle;
    this.#handle = undefined;
    void broken?.close().catch(() => undefined);
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
}
