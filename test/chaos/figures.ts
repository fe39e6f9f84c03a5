import type { Doubt } from './checker/doubts.ts';
import type { Excused } from './checker/reads-answered.ts';
import type { Finding } from './evidence.ts';

/** Below it a cluster shows nothing: the faults met no traffic that they could have hurt. */
export interface Floor {
  /** Served: a read that failed is none, whatever excuses it. */
  readonly readsPerMinute: number;
  readonly refreshesPerMinute: number;
}

export interface ReadFigures {
  readonly reads: number;
  /** Without a good answer, whatever excuses that. */
  readonly failed: number;
  /** Of those that were answered well and did not have to outlast a moment without any node. */
  readonly slowestMs: number;
  readonly p99Ms: number;
  /** Of all, however they ended. */
  readonly slowestOfAllMs: number;
}

/** What was counted on one cluster. */
export interface LegFigures {
  /** What it ran on, such as `Redis Cluster`. */
  readonly setting: string;
  /** For how long faults came. */
  readonly seconds: number;
  /** For how long callers read, which is longer: reads and refreshes were counted in this time. */
  readonly watchedSeconds: number;
  /** Kinds that the plan draws from. */
  readonly kinds: readonly string[];
  /** Inflicted, by kind. */
  readonly faults: ReadonlyMap<string, number>;
  /** Planned, but nothing came along for them, by kind. */
  readonly missed: ReadonlyMap<string, number>;
  /** Why a kind could not be inflicted at all, by kind. */
  readonly leftOut: ReadonlyMap<string, string>;
  readonly reads: ReadFigures;
  readonly excused: Excused;
  /** Recorded. */
  readonly refreshes: number;
  readonly doubts: readonly Doubt[];
  readonly findings: readonly Finding[];
}

/** What was counted over a run: over all its clusters in turn (see {@link addedUp}), and on each. */
export interface RunFigures extends LegFigures {
  readonly seed: number;
  readonly nodes: number;
  readonly owners: number;
  readonly legs: readonly LegFigures[];
  readonly floor: Floor;
}

/** Several clusters that went through faults one after the other, as one. Of percentiles the highest counts. */
export function addedUp(legs: readonly LegFigures[]): LegFigures {
  const sum = (of: (leg: LegFigures) => number): number => legs.reduce((total, leg) => total + of(leg), 0);
  const most = (of: (leg: LegFigures) => number): number => Math.max(0, ...legs.map(of));
  return {
    setting: legs.map(({ setting }) => setting).join(', '),
    seconds: sum((leg) => leg.seconds),
    watchedSeconds: sum((leg) => leg.watchedSeconds),
    kinds: [...new Set(legs.flatMap(({ kinds }) => kinds))],
    faults: summed(legs.map(({ faults }) => faults)),
    missed: summed(legs.map(({ missed }) => missed)),
    leftOut: new Map(legs.flatMap(({ leftOut }) => [...leftOut])),
    reads: {
      reads: sum(({ reads }) => reads.reads),
      failed: sum(({ reads }) => reads.failed),
      slowestMs: most(({ reads }) => reads.slowestMs),
      p99Ms: most(({ reads }) => reads.p99Ms),
      slowestOfAllMs: most(({ reads }) => reads.slowestOfAllMs),
    },
    excused: { nobodyUp: sum(({ excused }) => excused.nobodyUp), lostGrants: sum(({ excused }) => excused.lostGrants) },
    refreshes: sum(({ refreshes }) => refreshes),
    doubts: legs.flatMap(({ doubts }) => doubts),
    findings: merged(legs.map(({ findings }) => findings)),
  };
}

export function totalOf(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, times) => sum + times, 0);
}

/** With a good answer. */
export function servedReads({ reads }: Pick<LegFigures, 'reads'>): number {
  return reads.reads - reads.failed;
}

/** Of what was counted while callers read. */
export function perMinute(times: number, { watchedSeconds }: Pick<LegFigures, 'watchedSeconds'>): number {
  return watchedSeconds === 0 ? 0 : (times / watchedSeconds) * 60;
}

function summed(tables: readonly ReadonlyMap<string, number>[]): Map<string, number> {
  const byKind = Map.groupBy(tables.flatMap((table) => [...table]), ([kind]) => kind);
  return new Map([...byKind].map(([kind, counts]) => [kind, counts.reduce((total, [, times]) => total + times, 0)]));
}

function merged(runs: readonly (readonly Finding[])[]): Finding[] {
  const byInvariant = Map.groupBy(runs.flat(), ({ invariant }) => invariant);
  return [...byInvariant].map(([invariant, findings]) => ({
    invariant,
    cases: findings.reduce((total, { cases }) => total + cases, 0),
    violations: findings.flatMap(({ violations }) => violations),
    isOccasional: findings.some(({ isOccasional }) => isOccasional === true),
  }));
}
