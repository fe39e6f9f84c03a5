import type { RowChange } from './history.ts';
import type { Ledger, LedgerOwner } from './ledger.ts';

export const settlements = [
  'its answer was recorded after all',
  'asked again inside the window of grace',
  'asked again where refresh tokens do not rotate',
  'not used after all',
  'the provider declared the grant dead',
  'its retries were used up',
  'an operator inserted a new grant',
  'open, and its access token is still served',
  'open, and its access token has ended',
] as const;
export type Settlement = (typeof settlements)[number];

export interface Doubt {
  readonly version: number;
  readonly since: number;
  readonly settlement: Settlement;
}

/** Every time that a token came to be in doubt, and how that ended. @param now epoch ms, for those that are open */
export function doubtsOf(ledger: Ledger, now: number): Doubt[] {
  const parents = new Set(ledger.rows.map(({ parent }) => parent));
  const doubts: Doubt[] = [];
  for (const [version, changes] of ledger.changesOf) {
    let isOpen = false;
    for (const [index, change] of changes.entries()) {
      const isDoubtful = change.to.isValid && change.to.state === 'in_doubt';
      if (isDoubtful && !isOpen) doubts.push({ version, since: change.at, settlement: settlementOf(changes.slice(index), parents.has(version), ledger, now) });
      isOpen = isDoubtful || (isOpen && isUnsettled(change));
    }
  }
  return doubts;
}

/** A token in doubt that is sent again is in the same doubt still. */
function isUnsettled({ to }: RowChange): boolean {
  return to.isValid && (to.state === 'in_doubt' || to.state === 'sending');
}

/** @param changes of the row, from the beginning of the doubt on */
function settlementOf(changes: readonly RowChange[], hasChild: boolean, ledger: Ledger, now: number): Settlement {
  const end = changes.find((change) => !isUnsettled(change))?.to;
  const first = changes[0];
  const owner = ledger.owners.get(first?.ownerDid ?? 0);
  if (!end) return isLiveAt(ledger, first?.version ?? 0, now) ? 'open, and its access token is still served' : 'open, and its access token has ended';
  if (!end.isValid) return hasChild ? recorded(first, end.attempt, owner) : 'an operator inserted a new grant';
  if (end.state === 'dead') return 'the provider declared the grant dead';
  return end.state === 'stopped' ? 'its retries were used up' : 'not used after all';
}

/** By the attempt that was in doubt first, or by one that asked again. */
function recorded(first: RowChange | undefined, attempt: string | null, owner: LedgerOwner | undefined): Settlement {
  const lost = first?.from?.attempt;
  if (lost === attempt) return 'its answer was recorded after all';
  return owner?.policy === 'non_rotating' ? 'asked again where refresh tokens do not rotate' : 'asked again inside the window of grace';
}

function isLiveAt(ledger: Ledger, version: number, now: number): boolean {
  return (ledger.rowByVersion.get(version)?.expiresAt ?? 0) > now;
}
