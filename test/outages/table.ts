import { whole } from '../demo/report.ts';
import type { OutageFacts } from './outage.ts';
import { summaryOf } from './reads.ts';
import { during } from './verdict.ts';

/** A line for each figure, a column for each outage. */
export function tableOf(all: readonly OutageFacts[]): string[] {
  const columns = all.map(columnOf);
  const labels = [...(columns[0]?.keys() ?? [])];
  const first = Math.max(...labels.map((label) => label.length));
  const widths = columns.map((column) => Math.max(...[...column.values()].map((value) => value.length)));
  return labels.map((label) => `${label.padEnd(first)}  ${columns.map((column, index) => (column.get(label) ?? '').padStart(widths[index] ?? 0)).join('   ')}`);
}

function columnOf(facts: OutageFacts): Map<string, string> {
  const { served, failed, slowestMs, p99Ms, longestRefusalMs } = summaryOf(facts.reads);
  const { expired, lapses, from, until } = facts;
  const inBook = new Set(expired.map(({ key }) => key));
  const told = (keys: readonly string[]): string => whole(new Set(keys.filter((key) => inBook.has(key))).size);
  const lasting = facts.reads.filter(({ lasts, why }) => lasts && why !== undefined).length;
  return new Map([
    ['away', facts.outage.name],
    ['for', `${((until - from) / 1000).toFixed(1)} s`],
    ['reads served', whole(served)],
    ['   slowest', `${whole(slowestMs)} ms`],
    ['   99 % within', `${whole(p99Ms)} ms`],
    ['reads failed, of owners whose tokens live longer', whole(lasting)],
    ['reads failed, of owners without a token', whole([...failed.values()].reduce((sum, times) => sum + times, 0) - lasting)],
    ['   by code', [...failed].map(([code, times]) => `${code} ${whole(times)}`).join(', ') || '-'],
    ['   told so after, at the latest', failed.size > 0 ? `${(longestRefusalMs / 1000).toFixed(1)} s` : '-'],
    ['bad tokens handed out', whole(facts.reads.filter(({ badToken }) => badToken).length)],
    ['refreshes meanwhile', whole(during(facts).length)],
    ['refreshes in the 10 s after', whole(facts.refreshes.filter((at) => at >= until && at < until + 10_000).length)],
    ['tokens that expired unrefreshed, by the providers', whole(expired.length)],
    ['   of them in tstevent', told(lapses.inHistory)],
    ['   of them mailed', `${told(lapses.mailed)} in ${lapses.mails} ${lapses.mails === 1 ? 'mail' : 'mails'}`],
    ['   counted by the metric', whole(lapses.counted)],
    ['owners without a token at its end, shown by a gauge', `${facts.withoutToken.shown} of ${facts.withoutToken.inBooks}`],
    ['refresh tokens presented twice', whole(facts.presentedTwice)],
    ['grants revoked', whole(facts.grantsRevoked)],
    ['return to a fresh token in every slot', `${(facts.recoveredMs / 1000).toFixed(1)} s`],
  ]);
}
