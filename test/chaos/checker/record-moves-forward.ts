import type { Check } from '../evidence.ts';
import type { LedgerRow } from './ledger.ts';
import { Tally } from './tally.ts';

/** What the provider issued later stands in a later row; each row has at most one successor, and each slot one valid row. */
export const recordMovesForward: Check = (_evidence, ledger) => {
  const tally = new Tally('Versions never go backwards in the record: one line of successors for each grant, one valid token for each slot');
  const children = Map.groupBy(ledger.rows.filter(({ parent }) => parent !== null), ({ parent }) => parent);
  const validOfSlot = Map.groupBy(ledger.rows.filter(({ isValid }) => isValid), slotOf);
  const newestOfGrant = new Map<string, LedgerRow>();
  for (const row of ledger.rows) {
    const grant = JSON.stringify([row.ownerDid, row.grantId]);
    const before = newestOfGrant.get(grant);
    newestOfGrant.set(grant, row);
    const faults = [
      before && outOfLine(row, before),
      row.parent !== null && ledger.rowByVersion.get(row.parent)?.isValid !== false && `its parent ${row.parent} is still valid, or not there`,
      (children.get(row.version)?.length ?? 0) > 1 && 'it has several successors',
      row.isValid && (validOfSlot.get(slotOf(row))?.[0] !== row) && 'its slot has another valid token',
    ];
    const found = faults.filter((fault) => typeof fault === 'string');
    tally.case(found.length === 0 ? undefined : `token ${row.version} of ${ledger.ownerOf(row).id} (${row.grantId}): ${found.join(', ')}`);
  }
  return tally.finding();
};

function slotOf({ ownerDid, auth }: LedgerRow): string {
  return JSON.stringify([ownerDid, auth]);
}

function outOfLine(row: LedgerRow, before: LedgerRow): string | undefined {
  if (row.accessSequence < before.accessSequence || row.refreshSequence < before.refreshSequence) {
    return `access token ${row.accessSequence} and refresh token ${row.refreshSequence} follow ${before.accessSequence} and ${before.refreshSequence} of token ${before.version}`;
  }
  return row.parent === before.version ? undefined : `its parent is ${row.parent ?? 'none'}, but token ${before.version} is the one before it`;
}
