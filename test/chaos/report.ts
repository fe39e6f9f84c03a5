import { count, whole, type Row } from '../demo/report.ts';
import { settlements, type Doubt, type Settlement } from './checker/doubts.ts';
import { perMinute, servedReads, totalOf, type RunFigures } from './figures.ts';
import { verdictOf } from './verdict.ts';

/** The whole report; the last line is the verdict. */
export function reportLines(figures: RunFigures): string[] {
  const [missed, absent, broken] = [missedRows(figures), absenceLines(figures), violationLines(figures)];
  return [
    titleOf(figures),
    ...section('Faults', faultRows(figures)),
    ...(missed.length > 0 ? section('Planned, but nothing came along', missed) : []),
    ...(absent.length > 0 ? ['', 'Kinds of faults', ...absent.map((line) => `   ${line}`)] : []),
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
  const served = servedReads(figures);
  return [
    { label: 'reads served', value: whole(served), note: `${whole(perMinute(served, figures))} a minute, each token checked with the provider that issued it` },
    { label: 'reads failed', value: whole(reads.failed - excused.nobodyUp - excused.lostGrants) },
    { label: 'reads that nobody could serve', value: whole(excused.nobodyUp + excused.lostGrants), note: `${whole(excused.nobodyUp)} while no node was up, ${whole(excused.lostGrants)} of owners all of whose grants were lost` },
    { label: 'slowest read while a node was up', value: `${whole(reads.slowestMs)} ms`, note: `99 % within ${reads.p99Ms < 10 ? reads.p99Ms.toFixed(1) : whole(reads.p99Ms)} ms` },
    { label: 'slowest read of all', value: `${whole(reads.slowestOfAllMs)} ms`, note: 'of those too that failed or met no node' },
    { label: 'refreshes', value: whole(refreshes), note: `${whole(perMinute(refreshes, figures))} a minute` },
    { label: 'tokens in doubt', value: whole(doubts.length) },
    ...[...settled(doubts)].map(([settlement, times]) => ({ label: `in doubt: ${settlement}`, value: whole(times) })),
  ];
}

function faultRows({ faults }: RunFigures): Row[] {
  return byName(faults).map(([kind, times]) => ({ label: kind, value: whole(times) }));
}

/** What is left out has its reason, and is not missed. */
function missedRows({ missed, leftOut }: RunFigures): Row[] {
  return byName(missed).filter(([kind]) => !leftOut.has(kind)).map(([kind, times]) => ({ label: kind, value: whole(times) }));
}

/** Which of the kinds that a run draws from it did not go through. */
function absenceLines({ kinds, faults, leftOut }: RunFigures): string[] {
  const possible = kinds.filter((kind) => !leftOut.has(kind));
  const never = possible.filter((kind) => !faults.has(kind));
  return [
    ...byName(leftOut).map(([kind, why]) => `Left out: ${kind} (${why}).`),
    ...(never.length > 0 ? [`Never came about, ${whole(never.length)} of ${count(possible.length, 'kind')}: ${never.join('; ')}.`] : []),
    ...(never.length === 0 && possible.length > 0 ? [`Each of ${count(possible.length, 'kind')} came about.`] : []),
  ];
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
  const invariants = figures.findings.map(({ invariant, cases, violations }) => `| ${invariant} | ${whole(violations.length)} | ${whole(cases)} | ${boundOf(cases, violations.length)} |`);
  const missed = missedRows(figures);
  return [
    `${titleOf(figures)}. ${verdictOf(figures).text}`,
    '',
    '| Invariant | Violations | of | at most (95 %) |',
    '|---|--:|--:|--:|',
    ...invariants,
    '',
    ...table(['Traffic', ''], trafficRows(figures)),
    ...table(['Fault', 'times'], faultRows(figures)),
    ...(missed.length > 0 ? table(['Planned, but nothing came along', 'times'], missed) : []),
    ...absenceLines(figures).flatMap((line) => [line, '']),
  ].join('\n');
}

function boundOf(cases: number, violations: number): string {
  if (cases === 0) return 'not shown';
  return violations > 0 || cases < 3 ? '' : `${Number(((3 / cases) * 100).toPrecision(2))} %`;
}

/** Only those that occurred, in the order of the list. */
function settled(doubts: readonly Doubt[]): Map<Settlement, number> {
  const counts = settlements.map((settlement) => [settlement, doubts.filter((doubt) => doubt.settlement === settlement).length] as const);
  return new Map(counts.filter(([, times]) => times > 0));
}

function byName<T>(table: ReadonlyMap<string, T>): [string, T][] {
  return [...table].sort(([a], [b]) => a.localeCompare(b, 'en'));
}

function durationOf(seconds: number): string {
  return seconds < 90 ? `${whole(seconds)} s` : `${Number((seconds / 60).toFixed(1))} min`;
}
