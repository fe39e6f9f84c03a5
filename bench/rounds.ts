import { readFileSync } from 'node:fs';

import type { LoadResult } from './load-order.ts';
import type { Load } from './load-process.ts';

export interface Target {
  readonly pid: number;
  readonly port: number;
  readonly paths: readonly string[];
}

/** What one of the two did in a round. */
export interface Half {
  readonly perSecond: number;
  readonly failures: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time that the server spent on each request, µs; NaN where the system does not tell. */
  readonly cpuUs: number;
}

export interface Round {
  readonly service: Half;
  readonly bare: Half;
  /** Service to bare. */
  readonly ratio: number;
}

export interface RoundOptions {
  readonly connections: number;
  /** Measured time of each of the two. */
  readonly measureMs: number;
}

/** Of `/proc`: hundredths of a second on every Linux there is. */
const usPerTick = 10_000;
/** Uncounted time at the beginning of each turn, for connections to open. */
const warmUpMs = 150;

/**
 * Measures the two in short turns, so that what else the machine does meets both alike. Who comes first changes with each turn:
 * a machine that slows down or speeds up favours neither.
 */
export async function measureRound(load: Load, service: Target, bare: Target, options: RoundOptions): Promise<Round> {
  const turns = { service: [] as Turn[], bare: [] as Turn[] };
  const number = Math.max(1, Math.round(options.measureMs / load.shortestMs));
  for (let index = 0; index < number; index++) {
    const order = index % 2 === 0 ? (['service', 'bare'] as const) : (['bare', 'service'] as const);
    for (const which of order) turns[which].push(await takeTurn(load, which === 'service' ? service : bare, options.connections, options.measureMs / number));
  }
  const [ofService, ofBare] = [halfOf(turns.service), halfOf(turns.bare)];
  return { service: ofService, bare: ofBare, ratio: ofService.perSecond / ofBare.perSecond };
}

interface Turn {
  readonly result: LoadResult;
  readonly cpuUs: number;
}

async function takeTurn(load: Load, { pid, port, paths }: Target, connections: number, measureMs: number): Promise<Turn> {
  const before = cpuTimeUs(pid);
  const result = await load.run({ port, paths, connections, warmUpMs, measureMs });
  return { result, cpuUs: cpuTimeUs(pid) - before };
}

function halfOf(turns: readonly Turn[]): Half {
  const total = (of: (turn: Turn) => number): number => turns.reduce((sum, turn) => sum + of(turn), 0);
  return {
    perSecond: total(({ result }) => result.answers) / total(({ result }) => result.seconds),
    failures: total(({ result }) => result.failures),
    p50Ms: median(turns.map(({ result }) => result.p50Ms)),
    p99Ms: median(turns.map(({ result }) => result.p99Ms)),
    cpuUs: total(({ cpuUs }) => cpuUs) / total(({ result }) => result.allAnswers),
  };
}

/** User and system time of all threads of a process so far. */
function cpuTimeUs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * usPerTick;
  } catch {
    return NaN;
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2;
}
