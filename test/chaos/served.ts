import type { Evidence, ReadAnswer } from './evidence.ts';
import type { ReadFigures } from './figures.ts';

export function readFigures({ answers, nobodyUp }: Pick<Evidence, 'answers' | 'nobodyUp'>): ReadFigures {
  const good = answers.filter(({ why }) => why === undefined);
  const outlasted = ({ sentAt, endedAt }: ReadAnswer): boolean => nobodyUp.some(({ from, until }) => sentAt <= until && endedAt >= from);
  const times = good.filter((answer) => !outlasted(answer)).map(tookMs).sort((a, b) => a - b);
  return {
    reads: answers.length,
    failed: answers.length - good.length,
    slowestMs: times.at(-1) ?? 0,
    p99Ms: times[Math.floor(times.length * 0.99)] ?? 0,
    slowestOfAllMs: answers.reduce((most, answer) => Math.max(most, tookMs(answer)), 0),
  };
}

function tookMs({ sentAt, endedAt }: ReadAnswer): number {
  return endedAt - sentAt;
}
