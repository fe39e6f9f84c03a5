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
  /** Why it cannot be filled, as mounting takes a right that not everybody has; undefined where it can. */
  readonly obstacle: string | undefined;
  readonly #guard: ChildProcess | undefined;

  constructor(mount: string) {
    mkdirSync(mount, { recursive: true });
    this.#mount = mount;
    this.folder = join(mount, 'journal');
    this.obstacle = mountTmpfs(mount);
    this.#guard = this.canFill ? guard(mount) : undefined;
  }

  get canFill(): boolean {
    return this.obstacle === undefined;
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

/** @returns why not; undefined where it is mounted */
function mountTmpfs(folder: string): string | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKiB}k,mode=0700`, 'none', folder], { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
    return undefined;
  } catch (error) {
    const { stderr, message } = error as Error & { readonly stderr?: string };
    const [first = ''] = (stderr ?? '').trim().split('\n');
    return `nothing can be mounted: ${first === '' ? message : first.replace(`${folder}: `, '')}`;
  }
}

/** A shell that reads a pipe nobody writes to: the pipe closes when this process ends, in whatever way, and the shell takes the mount down. */
function guard(mount: string): ChildProcess {
  const shell = spawn('/bin/sh', ['-c', 'read -r never; sleep 1; umount -l "$1"; rm -rf "$(dirname "$1")"', 'guard', mount], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  shell.unref();
  if (shell.stdin instanceof Socket) shell.stdin.unref();
  return shell;
}
