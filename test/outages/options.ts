import { parseArgs } from 'node:util';

import { UsageError } from '../demo/command.ts';

export interface OutageOptions {
  /** How long each store is away, s; 0 leaves the outage out. */
  readonly redis: number;
  readonly mysql: number;
  readonly both: number;
  readonly owners: number;
  /** Lifetime of the tokens that do not outlive an outage of MySQL. */
  readonly tokenSeconds: number;
  readonly nodes: number;
  readonly help: boolean;
}

export const usage = `Usage: npm run outages -- [options]

What the outage of a store costs. A private MariaDB and Redis, a mail server, two OAuth2 providers with
rotating refresh tokens, and a cluster of the token pool service under load. Redis is killed, then MySQL,
then both, each for a while. Half of the owners have tokens that live longer than any of the outages,
half have tokens that do not. What callers got is judged by the providers, and so is which tokens expired.
Takes the sum of the outages and about two minutes; everything started is stopped and removed at the end.
Exit code: 0 every promise was kept, 1 one was broken or nothing could be shown, 2 wrong usage.

  --redis S          seconds without Redis, 0 to 86400 (default 300; 0: left out)
  --mysql S          seconds without MySQL (default 60)
  --both S           seconds without either (default 60)
  --owners N         owners of tokens, 4 to 1000 (default 60)
  --token-seconds S  lifetime of the tokens that expire in an outage, 6 to 3600 (default 20)
  --nodes N          nodes of the cluster, 2 to 9 (default 3)
  --help             this text
`;

/** @throws UsageError */
export function readOptions(args: readonly string[]): OutageOptions {
  const { help, ...given } = parse(args);
  const options = {
    redis: wholeNumber('--redis', given.redis, 0, 86_400),
    mysql: wholeNumber('--mysql', given.mysql, 0, 86_400),
    both: wholeNumber('--both', given.both, 0, 86_400),
    owners: wholeNumber('--owners', given.owners, 4, 1000),
    tokenSeconds: wholeNumber('--token-seconds', given['token-seconds'], 6, 3600),
    nodes: wholeNumber('--nodes', given.nodes, 2, 9),
    help,
  };
  for (const name of ['mysql', 'both'] as const) {
    if (options[name] > 0 && options[name] < 1.5 * options.tokenSeconds) throw new UsageError(`--${name} ${options[name]}: no token of ${options.tokenSeconds} s needs to expire; 0, or ${1.5 * options.tokenSeconds} or more is wanted`);
  }
  return options;
}

function parse(args: readonly string[]) {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        'redis': text('300'),
        'mysql': text('60'),
        'both': text('60'),
        'owners': text('60'),
        'token-seconds': text('20'),
        'nodes': text('3'),
        'help': { type: 'boolean', short: 'h', default: false },
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
