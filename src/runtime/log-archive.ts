import { access, mkdir, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { compressFile } from './log-compression.ts';
import { javaDate } from './log-date.ts';
import { dateOptions } from './log-pattern.ts';

const dates = /%d(?:\{([^}]*)\})?/g;
const dayPattern = 'yyyy-MM-dd';
/** A date of which every part has its full width. */
const sampleTime = Date.UTC(2000, 10, 22, 20, 20, 30);

export interface ArchiveOptions {
  /** File name with `%d` or `%d{...}`, and optionally `%i`. */
  readonly pattern: string;
  readonly timeZone: string;
  /** How many archived files are kept. */
  readonly keep: number;
}

/** The archived files of one log: how they are named, made, and in the end deleted. */
export class LogArchive {
  readonly #pattern: string;
  readonly #timeZone: string;
  readonly #keep: number;
  readonly #extension: string;

  constructor({ pattern, timeZone, keep }: ArchiveOptions) {
    this.#extension = /\.(?:gz|zip)$/.exec(pattern)?.[0] ?? '';
    this.#pattern = pattern.slice(0, pattern.length - this.#extension.length);
    this.#timeZone = timeZone;
    this.#keep = keep;
  }

  /** The same for all times of one period (a day for `%d`), different for the next. */
  period(time: number): string {
    return this.#pattern.replace(dates, (_, options: string | undefined) => this.#date(time, options));
  }

  /** Moves the log away. @param time epoch ms, in the period of its records @returns the file to {@link finish} */
  async take(log: string, time: number): Promise<string> {
    const moved = await this.#freeName(this.period(time));
    await mkdir(dirname(moved), { recursive: true });
    await rename(log, moved);
    return moved;
  }

  /** Compresses a file that was taken, and deletes what is beyond the number to keep. */
  async finish(moved: string): Promise<void> {
    if (this.#extension !== '') await compressFile(moved, this.#extension === '.zip' ? 'zip' : 'gz');
    await this.#deleteOldest(dirname(moved));
  }

  #date(time: number, options: string | undefined): string {
    const [pattern, zone] = this.#dateOptions(options);
    return javaDate(time, pattern, zone);
  }

  #dateOptions(options: string | undefined): [string, string] {
    const [pattern = dayPattern, zone] = dateOptions((options ?? '').replace(/,\s*aux\b/, '') || dayPattern);
    return [pattern, zone ?? this.#timeZone];
  }

  /** Without `%i`, a second file of a period (after a change of the clock) gets `.1`, `.2` ... at its end. */
  async #freeName(period: string): Promise<string> {
    for (let index = 0; ; index += 1) {
      const name = period.includes('%i') ? period.replaceAll('%i', String(index)) : `${period}${index === 0 ? '' : `.${index}`}`;
      const taken = await Promise.all([exists(name), exists(name + this.#extension)]);
      if (!taken.includes(true)) return name;
    }
  }

  async #deleteOldest(folder: string): Promise<void> {
    const ours = this.#names();
    const names = (await readdir(folder)).filter((name) => ours.test(name));
    if (names.length <= this.#keep) return;
    const files = await Promise.all(names.map(async (name) => ({ name, time: (await stat(join(folder, name))).mtimeMs })));
    files.sort((a, b) => b.time - a.time || (a.name < b.name ? 1 : -1));
    for (const { name } of files.slice(this.#keep)) await unlink(join(folder, name));
  }

  /** Matches the archived files, compressed or not yet, and nothing else in their folder. */
  #names(): RegExp {
    const parts = basename(this.#pattern).split(/(%d(?:\{[^}]*\})?|%i)/);
    const sources = parts.map((part) => {
      if (part === '%i') return '\\d+';
      const options = /^%d(?:\{(.*)\})?$/.exec(part);
      return options ? likeness(this.#date(sampleTime, options[1])) : escape(part);
    });
    return new RegExp(`^${sources.join('')}(?:\\.\\d+)?(?:${escape(this.#extension)})?$`);
  }
}

/** What other dates of the same pattern look like. */
function likeness(date: string): string {
  return escape(date).replace(/\d+|[A-Za-z]+/g, (run) => (/\d/.test(run) ? `\\d{${run.length},}` : '[A-Za-z]+'));
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(() => true, () => false);
}
