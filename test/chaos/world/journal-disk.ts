import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';

const sizeKiB = 8 * 1024;

/** The disk of a node's journal: a small file system of its own, where the system lets us mount one. */
export class JournalDisk {
  readonly folder: string;
  readonly #mount: string;
  /** Whether it can be filled: mounting takes a right that not everybody has. */
  readonly canFill: boolean;
  readonly #guard: ChildProcess | undefined;

  constructor(mount: string) {
    mkdirSync(mount, { recursive: true });
    this.#mount = mount;
    this.folder = join(mount, 'journal');
    this.canFill = mountTmpfs(mount);
    this.#guard = this.canFill ? guard(mount) : undefined;
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
    this.#guard?.kill('SIGKILL');
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

/** A shell that reads a pipe nobody writes to: the pipe closes when this process ends, in whatever way, and the shell takes the mount down. */
function guard(mount: string): ChildProcess {
  const shell = spawn('/bin/sh', ['-c', 'read -r never; sleep 1; umount -l "$1"; rm -rf "$(dirname "$1")"', 'guard', mount], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  shell.unref();
  if (shell.stdin instanceof Socket) shell.stdin.unref();
  return shell;
}
