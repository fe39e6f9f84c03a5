import type { Check } from '../evidence.ts';
import type { Ledger } from './ledger.ts';
import { Tally } from './tally.ts';

/** Seen by something else than the journal: one that loses what it was given has nothing to show for it. */
export const seenAnswersRecorded: Check = ({ seenOnDisk = [] }, ledger) => {
  const tally = new Tally('Every answer that was seen to be on a node\'s disk is in the record, or something later is');
  const parents = new Set(ledger.rows.map(({ parent }) => parent));
  for (const attempt of seenOnDisk) tally.case(faultOf(attempt, parents, ledger));
  return tally.finding();
};

function faultOf(attempt: string, parents: ReadonlySet<number | null>, { rows }: Ledger): string | undefined {
  const row = rows.find((candidate) => candidate.attempt === attempt);
  return row?.isValid === true && !parents.has(row.version) ? `the answer for token ${row.version}: the token is ${row.state} and has no successor` : undefined;
}
