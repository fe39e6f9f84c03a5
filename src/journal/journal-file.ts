import { randomBytes } from 'node:crypto';
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const suffix = '.journal';

/** Names tell when a file was begun and by which run, so that no two runs ever write to one file. */
export function journalFileName(begunAt: number, run: string): string {
  return `${begunAt}-${run}${suffix}`;
}

/** @returns epoch ms when the file was begun, undefined for a file that is not a journal */
export function begunAtOf(fileName: string): number | undefined {
  const [, begunAt] = /^(\d+)-\w+\.journal$/.exec(fileName) ?? [];
  return begunAt === undefined ? undefined : Number(begunAt);
}

/** A file that is only ever appended to, by one process. */
export class JournalFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #begun = performance.now();
  #isEmpty = true;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  /** The file's name is durable too when this resolves. */
  static async create(folder: string): Promise<JournalFile> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, journalFileName(Date.now(), randomBytes(6).toString('hex')));
    const file = new JournalFile(path, await open(path, 'ax', 0o600));
    try {
      await syncFolder(folder);
      await syncFolder(dirname(folder));
    } catch (error) {
      await file.abandon();
      throw error;
    }
    return file;
  }

  get ageMs(): number {
    return performance.now() - this.#begun;
  }

  /** What is appended survives the end of the process, and, with `durably`, the loss of power. */
  async append(text: string, durably: boolean): Promise<void> {
    await this.#handle.appendFile(text);
    if (durably) await this.#handle.datasync();
    this.#isEmpty = false;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** Closes it after a failure; a full disk must not fill with files that hold nothing. */
  async abandon(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    if (this.#isEmpty) await rm(this.#path, { force: true }).catch(() => undefined);
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
