import type { Check, Evidence, Finding } from '../evidence.ts';
import { answersMoveForward } from './answers-move-forward.ts';
import { claimedBeforeSent } from './claimed-before-sent.ts';
import { converged } from './converged.ts';
import { doubtsOf, type Doubt } from './doubts.ts';
import { endsDeserved } from './ends-deserved.ts';
import { epochsFence } from './epochs-fence.ts';
import { onlyGoodTokens } from './good-tokens.ts';
import { keptAnswersRecorded } from './kept-answers-recorded.ts';
import { readLedger, type Ledger } from './ledger.ts';
import { legalSteps } from './legal-steps.ts';
import { newestTokenKept } from './newest-token-kept.ts';
import { noAnswerLost } from './no-answer-lost.ts';
import { noSecretInClear } from './no-secret-in-clear.ts';
import { poolMovesForward } from './pool-moves-forward.ts';
import { noGrantRevoked, presentedOnce } from './presented-once.ts';
import { excusedReads, readsAnswered, type Excused } from './reads-answered.ts';
import { recordMovesForward } from './record-moves-forward.ts';
import { seenAnswersRecorded } from './seen-answers-recorded.ts';
import { lossesWereTold } from './told.ts';
import { untilRecorded } from './until-recorded.ts';

/** In the order in which a report lists them; what needs a living cluster stands at the end. */
const afterwards: readonly Check[] = [
  presentedOnce,
  noGrantRevoked,
  claimedBeforeSent,
  legalSteps,
  epochsFence,
  newestTokenKept,
  keptAnswersRecorded,
  seenAnswersRecorded,
  noAnswerLost,
  endsDeserved,
  lossesWereTold,
  recordMovesForward,
  poolMovesForward,
  answersMoveForward,
  onlyGoodTokens,
  readsAnswered,
  noSecretInClear,
];

/** All that was found out, and what a report says beside it. */
export interface Examination {
  readonly findings: readonly Finding[];
  /** Tokens that were replaced by a new one. */
  readonly refreshes: number;
  readonly doubts: readonly Doubt[];
  readonly excused: Excused;
}

/** Compares all that a run left behind. What needs a living cluster comes first; then the nodes are stopped, so that nothing moves any more. */
export async function examine(evidence: Evidence): Promise<Examination> {
  const alive = await converged(evidence);
  await untilRecorded(evidence);
  await evidence.stopNodes();
  const ledger = await readLedger(evidence.record);
  const findings: Finding[] = [];
  for (const check of afterwards) findings.push(await check(evidence, ledger));
  findings.push(alive);
  return { findings, refreshes: refreshesIn(ledger), doubts: doubtsOf(ledger, Date.now()), excused: excusedReads(evidence, ledger) };
}

function refreshesIn({ rows }: Ledger): number {
  return rows.filter(({ parent }) => parent !== null).length;
}
