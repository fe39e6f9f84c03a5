import { count, whole } from '../demo/report.ts';
import { perMinute, servedReads, totalOf, type Floor, type LegFigures, type RunFigures } from './figures.ts';

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
  return { kind: 'kept', text: keptText(figures), exitCode: 0 };
}

function keptText({ findings }: RunFigures): string {
  const idle = findings.filter(({ cases }) => cases === 0).map(({ invariant }) => invariant);
  return idle.length === 0 ? 'Every invariant held.' : `Every invariant held that had a case. Not shown, for there was none: ${idle.join('; ')}.`;
}

/** Of each cluster by itself: what one did not get, another cannot make up for. */
function shortfalls({ legs, floor }: RunFigures): string[] {
  if (legs.length === 0) return ['there was no cluster'];
  return legs.flatMap((leg) => shortfallsOf(leg, floor).map((lacking) => `${leg.setting}: ${lacking}`));
}

function shortfallsOf(leg: LegFigures, floor: Floor): string[] {
  const lack = (what: string, found: number, least: number): string[] => (found < least ? [`${whole(Math.floor(found))} ${what} a minute, at least ${whole(least)} are needed to show anything`] : []);
  return [
    ...lack('reads served', perMinute(servedReads(leg), leg), floor.readsPerMinute),
    ...lack('refreshes', perMinute(leg.refreshes, leg), floor.refreshesPerMinute),
    ...(totalOf(leg.faults) === 0 ? ['nothing was done to the cluster'] : []),
    ...(leg.findings.length === 0 ? ['nothing was checked'] : []),
    ...leg.findings.filter(({ cases, isOccasional }) => cases === 0 && isOccasional !== true).map(({ invariant }) => `no case of "${invariant}"`),
  ];
}
