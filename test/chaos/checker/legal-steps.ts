import type { Check } from '../evidence.ts';
import type { RowChange } from './history.ts';
import type { Ledger, LedgerOwner, LedgerRow } from './ledger.ts';
import { clockTime, Tally } from './tally.ts';

/** What a step does to the attempt that holds the row. */
type Hold = 'kept' | 'taken' | 'given up';

/** Every step that a valid row may take and stays valid: `src/mysql/claims.ts`, `mark-sending.ts`, `outcomes.ts` and `pool-changes.ts`. */
const steps: ReadonlySet<string> = new Set<`${string} -> ${string}, ${Hold}`>([
  'idle -> claimed, taken', // the claim
  'claimed -> sending, kept', // the last step before the request may leave
  'claimed -> idle, given up', // given back by its holder, or taken back by a master
  'sending -> idle, given up', // nothing left, or the provider said that it did not use the token
  'sending -> stopped, given up',
  'sending -> dead, given up',
  'sending -> in_doubt, kept', // something left and no answer was read
  'sending -> in_doubt, taken', // asked again, as the policy allows
  'in_doubt -> in_doubt, taken',
  'in_doubt -> in_doubt, kept', // it failed again, which says nothing of the first time
  'in_doubt -> sending, kept',
  'in_doubt -> idle, given up', // whoever sent it had word after all that the token was not used
  'in_doubt -> stopped, given up',
  'in_doubt -> dead, given up',
  'idle -> stopped, kept', // it can make no request
  'idle -> dead, kept', // its refresh token had been used before
  'stopped -> idle, kept', // PUT restart
  'dead -> idle, kept',
  'idle -> idle, kept',
]);

/** Between the look at the clock and the commit of a claim, ms. */
const commitTakesMs = 1000;

export const legalSteps: Check = (_evidence, ledger) => {
  const tally = new Tally('Every row moved only as the design allows, and what had been sent was taken over only as the policy allows');
  const parents = new Set(ledger.rows.map(({ parent }) => parent));
  for (const changes of ledger.changesOf.values()) {
    for (const [index, change] of changes.entries()) {
      const fault = faultOf(change, parents, ledger) ?? takenTooLate(changes, index, ledger);
      tally.case(fault && `${clockTime(change.at)} token ${change.version}: ${fault}`);
    }
  }
  return tally.finding();
};

function faultOf({ version, from, to }: RowChange, parents: ReadonlySet<number | null>, ledger: Ledger): string | undefined {
  if (!from) return to.state === 'idle' && to.attempt === null && (to.isValid || standsBack(ledger, version)) ? undefined : `it was inserted ${to.isValid ? to.state : 'invalid'}`;
  if (!from.isValid) return `it was changed (${from.state} -> ${to.state}) though it had been replaced`;
  const hold: Hold = to.attempt === from.attempt ? 'kept' : to.attempt === null ? 'given up' : 'taken';
  const step = `${from.state} -> ${to.state}, ${hold}`;
  if (to.isValid) return steps.has(step) ? undefined : step;
  if (to.state !== 'idle' || hold !== 'kept') return `it was made invalid: ${step}`;
  if (parents.has(version)) return from.state === 'sending' || from.state === 'in_doubt' ? undefined : `it was replaced by its child when it was ${from.state}`;
  if (from.state === 'sending') return 'it was made invalid while its answer was awaited';
  return gaveWay(ledger, version) ? undefined : 'it was made invalid and nothing took its place';
}

/** An operator put a row of another grant in the place of its parent, while the answer that it is made of was awaited. */
function standsBack(ledger: Ledger, version: number): boolean {
  const row = ledger.rowByVersion.get(version);
  return row !== undefined && row.parent !== null && othersOfSlot(ledger, row).some((other) => other.version > row.parent! && other.version < version && other.grantId !== row.grantId);
}

/** A row that was inserted later, or what its refreshes have made of it; of the same grant, what the refreshes of any row have. */
function gaveWay(ledger: Ledger, version: number): boolean {
  const row = ledger.rowByVersion.get(version);
  return row !== undefined && othersOfSlot(ledger, row).some((other) => other.version > version && !ledger.hasStoodBack(other) && (ledger.rootOf(other).version > version || other.grantId === row.grantId));
}

function othersOfSlot(ledger: Ledger, { ownerDid, auth, version }: LedgerRow): LedgerRow[] {
  return ledger.rows.filter((row) => row.ownerDid === ownerDid && row.auth === auth && row.version !== version);
}

/** A token that may have been used already is asked for again where the provider does not mind, or inside its window, which begins with the first sending. */
function takenTooLate(changes: readonly RowChange[], index: number, ledger: Ledger): string | undefined {
  const change = changes[index];
  if (!change?.from || change.to.attempt === null || change.to.attempt === change.from.attempt || change.from.state === 'idle') return undefined;
  const owner = ledger.owners.get(change.ownerDid);
  const claimed = changes.slice(0, index).findLastIndex(({ from }) => from?.state === 'idle');
  const sentAt = changes.slice(claimed + 1, index).find(({ to }) => to.state === 'sending')?.at ?? -Infinity;
  return owner && mayAskAgain(owner, change.at - sentAt) ? undefined : `it was asked for again ${Math.round(change.at - sentAt)} ms after it had been sent, at a provider of policy ${owner?.policy ?? '?'}`;
}

function mayAskAgain({ policy, graceMs }: LedgerOwner, ageMs: number): boolean {
  return policy === 'non_rotating' || (policy === 'grace' && ageMs < graceMs + commitTakesMs);
}
