import { parseArgs } from 'node:util';

import { UsageError } from './command.ts';

export interface DemoOptions {
  readonly nodes: number;
  readonly owners: number;
  /** Whether the cluster stays up after the show. */
  readonly stay: boolean;
  readonly help: boolean;
}

export const usage = `Usage: npm run demo -- [options]

Starts a private MariaDB and Redis, an OAuth2 server with rotating refresh tokens, and a cluster
of the token pool service behind one address. Shows tokens fetched, refreshed, and read on while
the master is killed. Takes about 35 s; everything started is stopped and removed at the end.
Exit code: 0 every promise was kept, 1 one was broken or nothing could be shown, 2 wrong usage.

  --nodes N     nodes of the cluster, 2 to 9 (default 3)
  --owners N    owners of tokens, 1 to 200 (default 6); every second one has two grants
  --stay        leave it all up after the show, with what to try, until Ctrl-C
  --help        this text
`;

/** @throws UsageError */
export function readOptions(args: readonly string[]): DemoOptions {
  const { nodes, owners, stay, help } = parse(args);
  return { nodes: wholeNumber('--nodes', nodes, 2, 9), owners: wholeNumber('--owners', owners, 1, 200), stay, help };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        nodes: { type: 'string', default: '3' },
        owners: { type: 'string', default: '6' },
        stay: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`${name} ${text}: a whole number from ${least} to ${most} is wanted`);
}
