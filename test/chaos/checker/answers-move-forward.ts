import type { Check, ReadAnswer } from '../evidence.ts';
import { clockTime, Tally } from './tally.ts';

/** Of two reads of which the second was sent when the first had ended, a node never answers the second with an older token of the same grant. */
export const answersMoveForward: Check = ({ answers }) => {
  const tally = new Tally('Versions never go backwards in what a node answers');
  const good = answers.filter(({ grantId, servedBy }) => grantId !== undefined && servedBy !== undefined);
  for (const reads of Map.groupBy(good, ({ servedBy, owner, grantId }) => JSON.stringify([servedBy, owner, grantId])).values()) compare(reads, tally);
  return tally.finding();
};

function compare(reads: readonly ReadAnswer[], tally: Tally): void {
  const bySending = reads.toSorted((a, b) => a.sentAt - b.sentAt);
  const byEnd = reads.toSorted((a, b) => a.endedAt - b.endedAt);
  let ended = 0;
  let newest: ReadAnswer | undefined;
  for (const read of bySending) {
    for (let next = byEnd[ended]; next && next.endedAt < read.sentAt; next = byEnd[++ended]) if ((next.sequence ?? 0) > (newest?.sequence ?? 0)) newest = next;
    const isOlder = newest !== undefined && (read.sequence ?? 0) < (newest.sequence ?? 0);
    tally.case(isOlder && newest ? `${clockTime(read.sentAt)} ${read.servedBy} gave ${read.owner} access token ${read.sequence} of ${read.grantId}, after ${newest.sequence} at ${clockTime(newest.endedAt)}` : undefined);
  }
}
