import { parseArgs } from 'node:util';

import { UsageError } from '../demo/command.ts';

export interface TakeoverOptions {
  readonly kills: number;
  readonly handovers: number;
  readonly nodes: number;
  readonly owners: number;
  /** `cluster.leaseTime`, ms. */
  readonly leaseMs: number;
  /** Lifetime of the tokens, s. */
  readonly tokenSeconds: number;
  readonly help: boolean;
}

export const usage = `Usage: npm run takeover -- [options]

How long nobody refreshes when the master ends. A private MariaDB and Redis, an OAuth2 server that rotates refresh
tokens, and a cluster of the token pool service with tokens that fall due all the time. Again and again the master is
killed (SIGKILL) at a random moment, then again and again stopped in order (SIGTERM). The time is counted until the
OAuth2 server sees the first refresh of the next master; it also says whether a refresh token was presented twice.
Takes about ten seconds for each end; everything started is stopped and removed.
Exit code: 0 nine of ten ends within the aim (the lease and half a second after a kill, 0.2 s after a stop) and no
refresh token presented twice, 1 not, 2 wrong usage.

  --kills N          ends by SIGKILL, 0 to 1000 (default 30)
  --handovers N      ends by SIGTERM, 0 to 1000 (default 30)
  --nodes N          nodes of the cluster, 2 to 9 (default 3)
  --owners N         owners with a token each, 10 to 1000 (default 200)
  --lease-ms N       time to live of the master's lease, 1000 to 60000 (default 3000)
  --token-seconds N  lifetime of the tokens, 10 to 3600 (default 20); at least four times the lease
  --help             this text
`;

/** @throws UsageError */
export function readOptions(args: readonly string[]): TakeoverOptions {
  const { help, ...given } = parse(args);
  const options = {
    kills: whole('--kills', given.kills, 0, 1000),
    handovers: whole('--handovers', given.handovers, 0, 1000),
    nodes: whole('--nodes', given.nodes, 2, 9),
    owners: whole('--owners', given.owners, 10, 1000),
    leaseMs: whole('--lease-ms', given['lease-ms'], 1000, 60_000),
    tokenSeconds: whole('--token-seconds', given['token-seconds'], 10, 3600),
    help,
  };
  if (options.tokenSeconds * 1000 < 4 * options.leaseMs) throw new UsageError(`--token-seconds ${options.tokenSeconds}: tokens must outlive a lease of ${options.leaseMs} ms well; ${Math.ceil((4 * options.leaseMs) / 1000)} or more is wanted`);
  return options;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        'kills': { type: 'string', default: '30' },
        'handovers': { type: 'string', default: '30' },
        'nodes': { type: 'string', default: '3' },
        'owners': { type: 'string', default: '200' },
        'lease-ms': { type: 'string', default: '3000' },
        'token-seconds': { type: 'string', default: '20' },
        'help': { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`${name} ${text}: a whole number from ${least} to ${most} is wanted`);
}
