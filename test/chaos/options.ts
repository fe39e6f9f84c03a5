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
  /** Each layout begins with those of its faults whose kind contains one of these, in this order. */
  readonly first: readonly string[];
  readonly redis: readonly Topology[];
  readonly markdown: string | undefined;
  readonly logs: string | undefined;
  readonly list: boolean;
  readonly help: boolean;
}

/** What each adds to the seed of a run is its place: another may only be put at the end. */
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
  --seed N         of the plans of faults, see below (default: another each time; it is printed)
  --nodes N        nodes of the cluster, 2 to 9 (default 3)
  --owners N       owners of tokens, 10 to 500 (default 60)
  --redis LAYOUTS  single, sentinel, cluster, or several with commas (default: all three)
  --only TEXT      only faults whose kind or family contains it; may be given more than once
  --first TEXT     begin each layout with its faults whose kind contains it; may be given more than once
  --list           print the faults there are, and end
  --markdown FILE  write the result as a table for a document too
  --logs FOLDER    leave the logs of the nodes and all faults with their times there
  --help           this text

A seed gives each layout of Redis a plan of its own, the same alone (--redis cluster) as among the others, as long as
--only, --first, --nodes and the version are the same. A replay has the same pairs of faults in the same order, the
same time between the two and before each pair, and the same random numbers for each fault, by which it draws how long
it lasts and whom it meets. It does not have the same master at the same moment, the same luck with points (whether a
refresh comes there in time) or the same number of pairs: as many as the time allows.
`;

/** From which the plan of a layout is drawn. */
export function seedOf(topology: Topology, { seed }: Pick<ChaosOptions, 'seed'>): number {
  return seed + topologies.indexOf(topology);
}

/** What to type to have the plan of a layout alone. */
export function replayArgs(topology: Topology, { seed, nodes, only, first }: Pick<ChaosOptions, 'seed' | 'nodes' | 'only' | 'first'>): string[] {
  return ['--redis', topology, '--seed', String(seed), '--nodes', String(nodes), ...only.flatMap((text) => ['--only', text]), ...first.flatMap((text) => ['--first', text])];
}

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
    first: given.first,
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
        first: { type: 'string', multiple: true, default: [] },
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
