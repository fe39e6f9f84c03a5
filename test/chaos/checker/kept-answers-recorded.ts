import type { KeptAnswer } from '../../../src/journal/kept-answer.ts';
import type { Check } from '../evidence.ts';
import { readKept } from './kept-answers.ts';
import type { Ledger } from './ledger.ts';
import { Tally } from './tally.ts';

export const keptAnswersRecorded: Check = async (evidence, ledger) => {
  const tally = new Tally('Every answer that a journal or Redis kept is in the record, or something later is');
  const { answers, unreadable } = await readKept(evidence);
  const childOf = new Map(ledger.rows.map((row) => [row.parent, row]));
  for (const attempt of unreadable) tally.case(`attempt ${attempt}: what was kept cannot be read`);
  for (const answer of answers) tally.case(faultOf(answer, childOf, ledger));
  return tally.finding();
};

function faultOf(answer: KeptAnswer, childOf: ReadonlyMap<number | null, Ledger['rows'][number]>, ledger: Ledger): string | undefined {
  const { version, attempt } = answer;
  const row = ledger.rowByVersion.get(version);
  if (!row) return `the answer for token ${version}: there is no such token`;
  const child = childOf.get(version);
  if (!child) return row.isValid ? `the answer for token ${version}: the token is ${row.state} and has no successor` : undefined;
  if (row.attempt !== attempt) return undefined;
  const refreshToken = answer.refreshToken?.reveal() ?? row.refreshToken;
  const isSame = child.accessToken === answer.accessToken.reveal() && child.refreshToken === refreshToken;
  return isSame ? undefined : `the answer for token ${version}: its successor ${child.version} holds other tokens`;
}
