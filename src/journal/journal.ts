import type { KeyRing } from '../runtime/key-ring.ts';
import { JournalFile } from './journal-file.ts';
import { writeRecord, type JournalEntry } from './record.ts';

/** A file is not written to for longer than this, ms: readers may remove older ones. */
export const longestWritingMs = 5 * 60_000;

interface Waiting {
  readonly line: string;
  readonly durably: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The local journal of attempts: what left and what came back, sealed, on this machine's disk.
 * Entries that arrive while the disk is busy are written and synced together.
 */
export class Journal {
  readonly #folder: string;
  readonly #ring: KeyRing;
  #file: JournalFile | undefined;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  /** @param ring must have a key: no payload stands on disk in the clear */
  constructor(folder: string, ring: KeyRing) {
    if (!ring.seals) throw new TypeError('A key ring without a key cannot keep a journal');
    this.#folder = folder;
    this.#ring = ring;
  }

  /** Creates the folder (mode 0700) and a first file: rejects where the disk cannot be written to. */
  async open(): Promise<void> {
    this.#file ??= await JournalFile.create(this.#folder);
  }

  /** Resolves when the entry is on disk (fdatasync); rejects when it may not be, and a later append begins a new file. */
  append(entry: JournalEntry): Promise<void> {
    return this.#enqueue(entry, true);
  }

  /** As {@link append}, but resolves when the system has the entry: the process may die, the machine may not. */
  note(entry: JournalEntry): Promise<void> {
    return this.#enqueue(entry, false);
  }

  /** Writes what is waiting, then closes. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#file?.close();
    this.#file = undefined;
  }

  #enqueue(entry: JournalEntry, durably: boolean): Promise<void> {
    const line = writeRecord(entry, Date.now(), this.#ring);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, durably, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(batch);
        for (const { resolve } of batch) resolve();
      } catch (error) {
        await this.#abandonFile();
        for (const { reject } of batch) reject(error);
      }
    }
    this.#writing = undefined;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    if (this.#file !== undefined && this.#file.ageMs > longestWritingMs) await this.#abandonFile();
    this.#file ??= await JournalFile.create(this.#folder);
    await this.#file.append(batch.map(({ line }) => line).join(''), batch.some(({ durably }) => durably));
  }

  /** After a failed write the last line may be torn, and after a failed fdatasync the kernel may have dropped pages. */
  async #abandonFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.abandon();
  }
}
