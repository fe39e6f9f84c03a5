import type { Evidence, ReadAnswer } from './evidence.ts';
import type { LegFigures } from './report.ts';

/** The reads of a run; times are of those that were answered well and did not have to outlast a moment without any node. */
export function readFigures({ answers, nobodyUp }: Pick<Evidence, 'answers' | 'nobodyUp'>): LegFigures['reads'] {
  const good = answers.filter(({ why }) => why === undefined);
  const outlasted = ({ sentAt, endedAt }: ReadAnswer): boolean => nobodyUp.some(({ from, until }) => sentAt <= until && endedAt >= from);
  const times = good.filter((answer) => !outlasted(answer)).map(({ sentAt, endedAt }) => endedAt - sentAt).sort((a, b) => a - b);
  return { reads: answers.length, failed: answers.length - good.length, slowestMs: times.at(-1) ?? 0, p99Ms: times[Math.floor(times.length * 0.99)] ?? 0 };
}
