import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const sizeKiB = 8 * 1024;

/** The disk of a node's journal: a small file system of its own, where the system lets us mount one. */
export class JournalDisk {
  readonly folder: string;
  readonly #mount: string;
  /** Whether it can be filled: mounting takes a right that not everybody has. */
  readonly canFill: boolean;

  constructor(mount: string) {
    mkdirSync(mount, { recursive: true });
    this.#mount = mount;
    this.folder = join(mount, 'journal');
    this.canFill = mountTmpfs(mount);
  }

  /** Leaves not a byte: whatever is written now fails with ENOSPC. */
  async fill(): Promise<void> {
    await writeFile(this.#filler, Buffer.alloc(sizeKiB * 1024 * 2)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    });
  }

  async free(): Promise<void> {
    await rm(this.#filler, { force: true });
  }

  remove(): void {
    if (this.canFill) execFileSync('umount', ['--lazy', this.#mount]);
    rmSync(this.#mount, { recursive: true, force: true });
  }

  get #filler(): string {
    return join(this.#mount, 'filler');
  }
}

function mountTmpfs(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKiB}k,mode=0700`, 'none', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
