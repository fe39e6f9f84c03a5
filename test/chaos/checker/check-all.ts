import type { Check, Evidence, Finding, Interval } from '../evidence.ts';
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

/** Those whose cases chance brings: an answer seen on a disk at a point that was drawn, a token that came to be in doubt, a refusal. */
const occasional: ReadonlySet<Check> = new Set([seenAnswersRecorded, noAnswerLost, lossesWereTold, endsDeserved]);

/** All that was found out, and what a report says beside it. */
export interface Examination {
  readonly findings: readonly Finding[];
  /** For how long callers read. */
  readonly watchedSeconds: number;
  /** Tokens that were replaced by a new one in that time. */
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
  for (const check of afterwards) findings.push({ ...(await check(evidence, ledger)), isOccasional: occasional.has(check) });
  findings.push(alive);
  const { from, until } = evidence.watched;
  return { findings, watchedSeconds: (until - from) / 1000, refreshes: refreshesIn(ledger, evidence.watched), doubts: doubtsOf(ledger, Date.now()), excused: excusedReads(evidence, ledger) };
}

/** By when what they brought was recorded. */
export function refreshesIn({ history }: Pick<Ledger, 'history'>, { from, until }: Interval): number {
  return history.changes.filter((change) => change.from === undefined && change.parent !== null && change.at >= from && change.at <= until).length;
}
