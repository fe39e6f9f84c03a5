import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** One end of a TCP connection over IPv4 of this machine; undefined where there is none. Synchronous: nothing happens between the question and the answer. */
export function socketOf(localPort: number, remotePort: number): string | undefined {
  const [local, remote] = [localPort, remotePort].map((port) => `:${port.toString(16).toUpperCase().padStart(4, '0')}`) as [string, string];
  const inodes = readFileSync('/proc/net/tcp', 'utf8').split('\n').map((line) => line.trim().split(/\s+/))
    .filter(([, from, to]) => from?.endsWith(local) === true && to?.endsWith(remote) === true).map((fields) => fields[9]);
  // Nobody holds one that is only waited out.
  const inode = inodes.find((candidate) => candidate !== '0');
  return inode === undefined ? undefined : `socket:[${inode}]`;
}

/** @param socket of {@link socketOf} */
export function holds(pid: number, socket: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((descriptor) => targetOf(`/proc/${pid}/fd/${descriptor}`) === socket);
  } catch {
    // It has ended.
    return false;
  }
}

function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    // It was closed meanwhile.
    return undefined;
  }
}
