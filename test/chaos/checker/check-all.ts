import type { Check, Evidence, Finding } from '../evidence.ts';
import { onlyGoodTokens } from './good-tokens.ts';
import { readLedger } from './ledger.ts';
import { newestTokenKept } from './newest-token-kept.ts';
import { noGrantRevoked, presentedOnce } from './presented-once.ts';
import { readsAnswered } from './reads-answered.ts';
import { lossesWereTold } from './told.ts';

const afterwards: readonly Check[] = [presentedOnce, noGrantRevoked, newestTokenKept, lossesWereTold, onlyGoodTokens, readsAnswered];

/** Compares all that a run left behind. What needs a living cluster comes first; then the nodes are stopped, so that nothing moves any more. */
export async function checkAll(evidence: Evidence): Promise<Finding[]> {
  await evidence.stopNodes();
  const ledger = await readLedger(evidence.record);
  const findings: Finding[] = [];
  for (const check of afterwards) findings.push(await check(evidence, ledger));
  return findings;
}
