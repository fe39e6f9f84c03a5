import { count, whole, type Row } from '../demo/report.ts';
import type { ReadsReport } from '../harness/readers.ts';
import type { Excused } from './checker/reads-answered.ts';
import { settlements, type Doubt, type Settlement } from './checker/doubts.ts';
import type { Finding } from './evidence.ts';

/** Below it a run shows nothing: the faults met no traffic that they could have hurt. */
export interface Floor {
  readonly readsPerMinute: number;
  readonly refreshesPerMinute: number;
}

/** What was counted over a run; of several clusters in turn, over all of them (see {@link addedUp}). */
export interface RunFigures {
  readonly seed: number;
  /** For how long faults came. */
  readonly seconds: number;
  readonly nodes: number;
  readonly owners: number;
  /** What it ran on, such as `Redis alone, with Sentinel, as Cluster`. */
  readonly setting: string;
  /** Inflicted, by kind. */
  readonly faults: ReadonlyMap<string, number>;
  readonly reads: Pick<ReadsReport, 'reads' | 'failed' | 'slowestMs' | 'p99Ms'>;
  readonly excused: Excused;
  /** Recorded. */
  readonly refreshes: number;
  readonly doubts: readonly Doubt[];
  readonly findings: readonly Finding[];
  readonly floor: Floor;
}

export interface Verdict {
  readonly kind: 'kept' | 'broken' | 'no result';
  /** In words. */
  readonly text: string;
  readonly exitCode: 0 | 1;
}

/** A broken invariant is a result, however little traffic there was. */
export function verdictOf(figures: RunFigures): Verdict {
  const broken = figures.findings.filter(({ violations }) => violations.length > 0);
  if (broken.length > 0) return { kind: 'broken', text: `BROKEN: ${count(broken.length, 'invariant')} of ${figures.findings.length}.`, exitCode: 1 };
  const lacking = shortfalls(figures);
  if (lacking.length > 0) return { kind: 'no result', text: `NO RESULT: ${lacking.join('; ')}.`, exitCode: 1 };
  return { kind: 'kept', text: 'Every invariant held.', exitCode: 0 };
}

/** What one cluster gives to the figures of a run. */
export type LegFigures = Pick<RunFigures, 'seconds' | 'faults' | 'reads' | 'excused' | 'refreshes' | 'doubts' | 'findings'>;

/** Several clusters that went through faults one after the other, as one run. Of percentiles the highest counts. */
export function addedUp(legs: readonly LegFigures[]): LegFigures {
  const sum = (of: (leg: LegFigures) => number): number => legs.reduce((total, leg) => total + of(leg), 0);
  const most = (of: (leg: LegFigures) => number): number => Math.max(0, ...legs.map(of));
  return {
    seconds: sum((leg) => leg.seconds),
    faults: new Map([...Map.groupBy(legs.flatMap(({ faults }) => [...faults]), ([kind]) => kind)].map(([kind, counts]) => [kind, counts.reduce((total, [, times]) => total + times, 0)])),
    reads: { reads: sum(({ reads }) => reads.reads), failed: sum(({ reads }) => reads.failed), slowestMs: most(({ reads }) => reads.slowestMs), p99Ms: most(({ reads }) => reads.p99Ms) },
    excused: { nobodyUp: sum(({ excused }) => excused.nobodyUp), lostGrants: sum(({ excused }) => excused.lostGrants) },
    refreshes: sum(({ refreshes }) => refreshes),
    doubts: legs.flatMap(({ doubts }) => doubts),
    findings: merged(legs.map(({ findings }) => findings)),
  };
}

function merged(runs: readonly (readonly Finding[])[]): Finding[] {
  const byInvariant = Map.groupBy(runs.flat(), ({ invariant }) => invariant);
  return [...byInvariant].map(([invariant, findings]) => ({
    invariant,
    cases: findings.reduce((total, { cases }) => total + cases, 0),
    violations: findings.flatMap(({ violations }) => violations),
  }));
}

/** The whole report; the last line is the verdict. */
export function reportLines(figures: RunFigures): string[] {
  const broken = violationLines(figures);
  return [
    titleOf(figures),
    ...section('Faults', faultRows(figures)),
    ...section('Traffic', trafficRows(figures)),
    '',
    'Invariants',
    ...invariantLines(figures),
    ...(broken.length > 0 ? ['', 'Violations', ...broken.map((line) => `   ${line}`)] : []),
    '',
    verdictOf(figures).text,
  ];
}

function section(title: string, rows: readonly Row[]): string[] {
  const widest = (of: (row: Row) => string): number => Math.max(0, ...rows.map((row) => of(row).length));
  const [labels, values] = [widest(({ label }) => label), widest(({ value }) => value)];
  return ['', title, ...rows.map(({ label, value, note = '' }) => `   ${label.padEnd(labels)}  ${value.padStart(values)}  ${note}`.trimEnd())];
}

function trafficRows(figures: RunFigures): Row[] {
  const { reads, excused, refreshes, doubts } = figures;
  return [
    { label: 'reads served', value: whole(reads.reads - reads.failed), note: `${whole(perMinute(reads.reads, figures))} a minute, each token checked with the provider that issued it` },
    { label: 'reads failed', value: whole(reads.failed - excused.nobodyUp - excused.lostGrants) },
    { label: 'reads that nobody could serve', value: whole(excused.nobodyUp + excused.lostGrants), note: `${whole(excused.nobodyUp)} while no node was up, ${whole(excused.lostGrants)} of owners all of whose grants were lost` },
    { label: 'slowest read while a node was up', value: `${whole(reads.slowestMs)} ms`, note: `99 % within ${reads.p99Ms < 10 ? reads.p99Ms.toFixed(1) : whole(reads.p99Ms)} ms` },
    { label: 'refreshes', value: whole(refreshes), note: `${whole(perMinute(refreshes, figures))} a minute` },
    { label: 'tokens in doubt', value: whole(doubts.length) },
    ...[...settled(doubts)].map(([settlement, times]) => ({ label: `in doubt: ${settlement}`, value: whole(times) })),
  ];
}

function faultRows({ faults }: RunFigures): Row[] {
  return byName(faults).map(([kind, times]) => ({ label: kind, value: whole(times) }));
}

function invariantLines({ findings }: RunFigures): string[] {
  const figures = findings.map(({ cases, violations }) => `${count(violations.length, 'violation')} of ${whole(cases)}`);
  const widest = Math.max(0, ...figures.map(({ length }) => length));
  return findings.map(({ invariant, cases }, index) => `   ${(figures[index] ?? '').padStart(widest)}  ${invariant}${cases === 0 ? ' (not shown: there was no case)' : ''}`);
}

/** The first of what broke each invariant, a line each. */
function violationLines({ findings }: RunFigures, shown = 5): string[] {
  return findings.filter(({ violations }) => violations.length > 0).flatMap(({ invariant, violations }) => {
    const rest = violations.length - shown;
    return [`${invariant}:`, ...violations.slice(0, shown).map((line) => `   ${line}`), ...(rest > 0 ? [`   and ${count(rest, 'more', 'more')}`] : [])];
  });
}

function titleOf({ faults, seconds: length, nodes, owners, setting, seed }: RunFigures): string {
  return `${count(totalOf(faults), 'fault')} in ${durationOf(length)} on ${count(nodes, 'node')} with ${count(owners, 'owner')} (${setting}; seed ${seed})`;
}

/** For docs/reliability.md. Of 0 in N cases the chance of one is below 3 / N, at a confidence of 95 %. */
export function markdownOf(figures: RunFigures): string {
  const table = (head: readonly [string, string], rows: readonly Row[]): string[] => [`| ${head.join(' | ')} |`, '|---|--:|', ...rows.map(({ label, value, note = '' }) => `| ${label}${note === '' ? '' : ` (${note})`} | ${value} |`), ''];
  const invariants = figures.findings.map(({ invariant, cases, violations }) => `| ${invariant} | ${whole(violations.length)} | ${whole(cases)} | ${violations.length === 0 && cases > 0 ? boundOf(cases) : ''} |`);
  return [
    `${titleOf(figures)}. ${verdictOf(figures).text}`,
    '',
    '| Invariant | Violations | of | at most (95 %) |',
    '|---|--:|--:|--:|',
    ...invariants,
    '',
    ...table(['Traffic', ''], trafficRows(figures)),
    ...table(['Fault', 'times'], faultRows(figures)),
  ].join('\n');
}

function boundOf(cases: number): string {
  return cases < 3 ? '' : `${Number(((3 / cases) * 100).toPrecision(2))} %`;
}

function shortfalls(figures: RunFigures): string[] {
  const { reads, refreshes, floor } = figures;
  const lack = (what: string, found: number, least: number): string[] => (found < least ? [`${whole(Math.floor(found))} ${what} a minute, at least ${whole(least)} are needed to show anything`] : []);
  return [
    ...lack('reads', perMinute(reads.reads, figures), floor.readsPerMinute),
    ...lack('refreshes', perMinute(refreshes, figures), floor.refreshesPerMinute),
    ...(totalOf(figures.faults) === 0 ? ['nothing was done to the cluster'] : []),
    ...(figures.findings.length === 0 ? ['nothing was checked'] : []),
  ];
}

/** Only those that occurred, in the order of the list. */
function settled(doubts: readonly Doubt[]): Map<Settlement, number> {
  const counts = settlements.map((settlement) => [settlement, doubts.filter((doubt) => doubt.settlement === settlement).length] as const);
  return new Map(counts.filter(([, times]) => times > 0));
}

function byName(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort(([a], [b]) => a.localeCompare(b, 'en'));
}

function durationOf(seconds: number): string {
  return seconds < 90 ? `${whole(seconds)} s` : `${Number((seconds / 60).toFixed(1))} min`;
}

function totalOf(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, times) => sum + times, 0);
}

function perMinute(times: number, { seconds: length }: Pick<RunFigures, 'seconds'>): number {
  return length === 0 ? 0 : (times / length) * 60;
}
