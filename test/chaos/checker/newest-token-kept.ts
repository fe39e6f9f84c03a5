import type { Check, PlacedGrant } from '../evidence.ts';
import { isTold } from './told.ts';
import type { Ledger, LedgerRow } from './ledger.ts';
import { Tally } from './tally.ts';

/** A loss that nobody was told of is what must not be; what cannot be known is in doubt, and said so. */
export const newestTokenKept: Check = ({ grants }, ledger) => {
  const tally = new Tally('The tokens that a provider issued last are in the record, or their grant is accounted for');
  for (const grant of grants) tally.case(faultOf(grant, ledger));
  return tally.finding();
};

function faultOf({ provider, grantId, owner }: PlacedGrant, ledger: Ledger): string | undefined {
  const newest = provider.newest(grantId);
  const last = ledger.rowsOfGrant(owner, grantId).at(-1);
  const place = `${owner}, ${grantId}`;
  if (!newest || !last) return `${place}: ${newest ? 'the record has no row of it' : 'its provider does not know it'}`;
  const isNewest = last.refreshToken === newest.refreshToken && last.accessToken === newest.accessToken;
  if (last.isValid && isNewest) return undefined;
  if (wasReplaced(last, ledger) && isNewest) return undefined;
  if (endsAccounted(last, ledger)) return undefined;
  const held = `${last.isValid ? last.state : 'invalid'} row ${last.version} has refresh token ${last.refreshSequence} and access token ${last.accessSequence}`;
  return `${place}: the provider is at ${newest.refreshTokenId}, ${held}`;
}

/** In doubt, dead or stopped at last, or when an operator's new grant took its place, and said so. */
function endsAccounted(row: LedgerRow, ledger: Ledger): boolean {
  const changes = ledger.changesOf.get(row.version) ?? [];
  const state = row.isValid ? row.state : changes.findLast(({ to }) => !to.isValid)?.from?.state;
  return (row.isValid || wasReplaced(row, ledger)) && isAccountedState(state) && isTold(row, state, ledger);
}

/** By a row of another grant with the same client authentication; of one that stood back, by one that came after its parent. */
function wasReplaced(row: LedgerRow, ledger: Ledger): boolean {
  const since = ledger.hasStoodBack(row) ? (row.parent ?? row.version) : row.version;
  return !row.isValid && ledger.rows.some((other) => other.ownerDid === row.ownerDid && other.auth === row.auth && other.version > since && other.grantId !== row.grantId);
}

function isAccountedState(state: string | undefined): state is 'in_doubt' | 'dead' | 'stopped' {
  return state === 'in_doubt' || state === 'dead' || state === 'stopped';
}
