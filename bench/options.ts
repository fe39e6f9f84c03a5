import { parseArgs } from 'node:util';

export interface BenchOptions {
  readonly rounds: number;
  /** Measured time of each half of a round. */
  readonly seconds: number;
  readonly connections: number;
  readonly owners: number;
  /** The ratio of the rates below which the run fails. */
  readonly atLeast: number;
  readonly wrk: boolean;
  readonly help: boolean;
}

/** What was typed cannot be understood; the message says what can. */
export class UsageError extends Error {}

export const usage = `Usage: npm run bench -- [options]

Measures GET /tokenservice/{ownerId} on one node (dist/main.js on a private MariaDB and Redis, tokens of an OAuth2
server of the tests) against a bare node:http server that answers a constant of the same length. The two take turns of
half a second, each in a process of its own, with the load from another. What counts is the ratio within a round: the
rates themselves depend on the machine and on what else it does. Everything started is stopped and removed at the end.
Exit code: 0 fast enough, 1 not, or nothing could be measured, 2 wrong usage.

  --rounds N        rounds that count, after one that does not, 1 to 100 (default 7)
  --seconds N       measured time of each of the two in a round, 0.5 to 600 (default 3)
  --connections N   keep-alive connections, one request at a time on each, 1 to 1000 (default 64)
  --owners N        owners, asked for in turn, 1 to 20000 (default 1000)
  --at-least R      the median ratio that is wanted, service to bare (default 0.8)
  --wrk             load from wrk, which must be installed, in place of the built-in generator
  --help            this text
`;

/** @throws UsageError */
export function readOptions(args: readonly string[]): BenchOptions {
  const { rounds, seconds, connections, owners, 'at-least': atLeast, wrk, help } = parse(args);
  return {
    rounds: whole('--rounds', rounds, 1, 100),
    seconds: between('--seconds', seconds, 0.5, 600),
    connections: whole('--connections', connections, 1, 1000),
    owners: whole('--owners', owners, 1, 20_000),
    atLeast: between('--at-least', atLeast, 0, 100),
    wrk,
    help,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        'rounds': { type: 'string', default: '7' },
        'seconds': { type: 'string', default: '3' },
        'connections': { type: 'string', default: '64' },
        'owners': { type: 'string', default: '1000' },
        'at-least': { type: 'string', default: '0.8' },
        'wrk': { type: 'boolean', default: false },
        'help': { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = between(name, text, least, most);
  if (Number.isInteger(value)) return value;
  throw new UsageError(`${name} ${text}: a whole number is wanted`);
}

function between(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`${name} ${text}: a number from ${least} to ${most} is wanted`);
}
