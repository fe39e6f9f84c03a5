import { parseArgs } from 'node:util';

import { UsageError } from '../demo/command.ts';
import type { Topology } from './world/redis-site.ts';

export interface ChaosOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly nodes: number;
  readonly owners: number;
  /** The run ends early once so many have been inflicted. */
  readonly faults: number;
  /** Faults whose kind or family contains one of these; all where empty. */
  readonly only: readonly string[];
  readonly redis: readonly Topology[];
  readonly markdown: string | undefined;
  readonly logs: string | undefined;
  readonly list: boolean;
  readonly help: boolean;
}

const topologies: readonly Topology[] = ['single', 'sentinel', 'cluster'];

export const usage = `Usage: npm run chaos -- [options]

Starts a private MariaDB and Redis, OAuth2 servers that rotate refresh tokens and detect reuse, and a cluster of
the token pool service. While callers read and tokens are refreshed, faults come in pairs: processes killed and
paused, at named points inside a refresh too; answers lost; stores flushed, frozen, restarted, failed over;
networks broken; clocks off. Then the account of the providers, MySQL, Redis, every journal and every answer that
a caller got are compared. Everything started is stopped and removed at the end.
Exit code: 0 nothing was violated, 1 something was or too little came about to tell, 2 wrong usage.

  --minutes N      how long faults come, 0.5 to 600 (default 5), shared among the layouts of Redis
  --faults N       end early after so many (default: no end)
  --seed N         the same faults in the same order (default: another each time; it is printed)
  --nodes N        nodes of the cluster, 2 to 9 (default 3)
  --owners N       owners of tokens, 10 to 500 (default 60)
  --redis LAYOUTS  single, sentinel, cluster, or several with commas (default: all three)
  --only TEXT      only faults whose kind or family contains it; may be given more than once
  --list           print the faults there are, and end
  --markdown FILE  write the result as a table for a document too
  --logs FOLDER    leave the logs of the nodes and all faults with their times there
  --help           this text
`;

/** @throws UsageError */
export function readOptions(args: readonly string[]): ChaosOptions {
  const given = parse(args);
  return {
    minutes: number('--minutes', given.minutes, 0.5, 600),
    seed: given.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole('--seed', given.seed, 0, 2 ** 31),
    nodes: whole('--nodes', given.nodes, 2, 9),
    owners: whole('--owners', given.owners, 10, 500),
    faults: given.faults === undefined ? Infinity : whole('--faults', given.faults, 1, 1_000_000),
    only: given.only,
    redis: given.redis.split(',').map((name) => topology(name.trim())),
    markdown: given.markdown,
    logs: given.logs,
    list: given.list,
    help: given.help,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        minutes: { type: 'string', default: '5' },
        faults: { type: 'string' },
        seed: { type: 'string' },
        nodes: { type: 'string', default: '3' },
        owners: { type: 'string', default: '60' },
        redis: { type: 'string', default: topologies.join(',') },
        only: { type: 'string', multiple: true, default: [] },
        list: { type: 'boolean', default: false },
        markdown: { type: 'string' },
        logs: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

function topology(name: string): Topology {
  const found = topologies.find((known) => known === name);
  if (found === undefined) throw new UsageError(`--redis ${name}: ${topologies.join(', ')} are known`);
  return found;
}

function whole(name: string, text: string, least: number, most: number): number {
  if (!/^\d+$/.test(text)) throw new UsageError(`${name} ${text}: a whole number from ${least} to ${most} is wanted`);
  return number(name, text, least, most);
}

function number(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,9}(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`${name} ${text}: a number from ${least} to ${most} is wanted`);
}
