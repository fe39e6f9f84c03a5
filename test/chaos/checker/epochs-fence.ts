import type { Check } from '../evidence.ts';
import type { RowChange, TermBegun } from './history.ts';
import { clockTime, Tally } from './tally.ts';

/** A claim holds the epoch's row locked from before it is made until it is committed, so the ids of the history give the order of claims and terms. */
export const epochsFence: Check = (_evidence, { history }) => {
  const tally = new Tally('No claim was committed under an epoch older than one that had begun, and epochs only rise');
  const inOrder = [...history.terms, ...history.changes.filter(isClaim)].sort((a, b) => a.id - b.id);
  let newest: TermBegun | undefined;
  for (const entry of inOrder) {
    const epoch = entry.epoch ?? 0;
    if ('version' in entry) {
      tally.case(newest && epoch < newest.epoch ? `${clockTime(entry.at)} token ${entry.version} was claimed under epoch ${epoch}, when ${newest.epoch} had begun at ${clockTime(newest.at)}` : undefined);
      continue;
    }
    tally.case(newest && epoch <= newest.epoch ? `${clockTime(entry.at)} epoch ${epoch} began after ${newest.epoch}` : undefined);
    newest = entry;
  }
  return tally.finding();
};

function isClaim({ from, to }: RowChange): boolean {
  return from !== undefined && to.attempt !== null && to.attempt !== from.attempt;
}
