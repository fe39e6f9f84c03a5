import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { childrenOf } from '../system/child-processes.ts';

export interface ContainerOptions {
  /** The file system of the last stage, without what its base brings. */
  readonly root: string;
  /** The command, with its arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workFolder: string;
  /** `uid:gid`. */
  readonly user: string;
  /** A folder of this machine by the path at which it is mounted, which is the only place that can be written to. */
  readonly volume: { readonly folder: string; readonly path: string };
}

/**
 * Runs its last argument's command in name spaces of its own (processes, mounts), with `root` as its file system, read-only, filled up with this
 * machine's programs and libraries, which stand for the base image. As in a container, the end of the first process is the end of all.
 */
const script = `
set -e
root=$1 node=$2 folder=$3 path=$4 user=$5 work=$6
shift 6
mount --make-rprivate /
for name in usr bin sbin lib lib64 etc; do
  if [ -L "/$name" ]; then ln -sfn "$(readlink "/$name")" "$root/$name"
  elif [ -d "/$name" ]; then mkdir -p "$root/$name"; mount --bind "/$name" "$root/$name"; mount -o remount,bind,ro "$root/$name"
  fi
done
mkdir -p "$root/base" "$root/proc" "$root/dev" "$root/tmp"
mount --bind "$node" "$root/base"
mount --bind "$root" "$root.ro"
for name in usr bin sbin lib lib64 etc base; do [ -L "$root/$name" ] || [ ! -d "$root/$name" ] || mount --bind "$root/$name" "$root.ro/$name"; done
mount -t proc proc "$root.ro/proc"
mount --bind /dev "$root.ro/dev"
mount --bind "$folder" "$root.ro/$path"
mount -o remount,bind,ro "$root.ro"
exec chroot --userspec="$user" --groups= "$root.ro" /usr/bin/env -C "$work" "$@"
`;

const pathInside = '/base:/usr/local/bin:/usr/bin:/bin';

/** Whether this machine lets us make the name spaces of a container. */
export function canContain(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  try {
    execFileSync('unshare', ['--pid', '--fork', '--mount', '--mount-proc', 'sh', '-c', 'mount -t tmpfs none /mnt && command -v chroot'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A process group as a container runtime would run it; `canContain` tells where this works. */
export class Container {
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #options: ContainerOptions;
  #output = '';

  constructor(options: ContainerOptions) {
    const { root, command, env, workFolder, user, volume } = this.#options = options;
    execFileSync('mkdir', ['-p', `${root}.ro`]);
    const inside = [`PATH=${pathInside}`, ...command];
    const args = ['--pid', '--fork', '--mount', '--kill-child', '/bin/sh', '-c', script, 'container', root, dirname(process.execPath), volume.folder, volume.path, user, workFolder, ...inside];
    this.#child = spawn('unshare', args, { env: { ...env, PATH: process.env['PATH'] ?? '' }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => { this.#output += text; });
    this.exited = once(this.#child, 'close').then(([code]) => code as number | null);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  output(): string {
    return this.#output;
  }

  /** The number that this machine knows the container's first process by: it is there a moment after `unshare` is. */
  async firstProcess(): Promise<number> {
    while (this.isRunning) {
      const [first] = await childrenOf(this.#child.pid!);
      if (first !== undefined) return first;
      await setTimeout(5);
    }
    throw new Error(`the container has ended:\n${this.#output}`);
  }

  /**
   * A further command in it, as its user, with its environment and these variables: what `docker exec` does, and a healthcheck.
   * @returns what it said and how it ended
   */
  async run(command: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<{ readonly code: number; readonly said: string }> {
    const { env, user } = this.#options;
    const [uid, gid] = user.split(':');
    const into = ['--target', String(await this.firstProcess()), '--pid', '--mount', '--root', '--setuid', uid!, '--setgid', gid!];
    const variables = Object.entries({ ...env, ...more, PATH: pathInside }).map(([name, value]) => `${name}=${value}`);
    return new Promise((resolve) => {
      execFile('nsenter', [...into, '/usr/bin/env', '-i', ...variables, ...command], { timeout: 20_000 }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr });
      });
    });
  }

  /** As a runtime ends a container in order: the first process is told, and nobody else. */
  async stop(): Promise<number | null> {
    if (this.isRunning) process.kill(await this.firstProcess(), 'SIGTERM');
    return this.exited;
  }

  /** Every process of the container at once. */
  async kill(): Promise<void> {
    if (this.isRunning) process.kill(await this.firstProcess(), 'SIGKILL');
    await this.exited;
  }
}
