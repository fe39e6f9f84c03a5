import type { Presentation } from '../../harness/provider/account.ts';
import type { Check, PlacedGrant } from '../evidence.ts';
import type { Ledger } from './ledger.ts';
import { sendingsOf } from './sendings.ts';
import { clockTime, Tally } from './tally.ts';

/** As many presentations of a refresh token as the provider has seen by any moment, so many times a row that holds it had been marked as sent by then. */
export const claimedBeforeSent: Check = ({ providers, grants }, ledger) => {
  const tally = new Tally('Nothing was sent without a claim that had been committed and marked as sent');
  for (const provider of providers) {
    const placed = new Map(grants.filter((grant) => grant.provider === provider).map((grant) => [grant.grantId, grant]));
    for (const presentations of Map.groupBy(provider.account.presentations, ({ refreshToken }) => refreshToken).values()) {
      const sent = timesOfSending(presentations[0], placed, ledger);
      for (const [index, { refreshToken, at }] of presentations.entries()) {
        const marked = sent[index];
        tally.case(marked !== undefined && Math.floor(marked) <= at ? undefined : `${clockTime(at)} ${refreshToken} was presented (time ${index + 1}), ${marked === undefined ? 'and never marked' : `and marked at ${clockTime(marked)}`}`);
      }
    }
  }
  return tally.finding();
};

/** Several rows hold the same refresh token where the provider does not rotate. */
function timesOfSending(presentation: Presentation | undefined, placed: ReadonlyMap<string, PlacedGrant>, ledger: Ledger): number[] {
  const grant = placed.get(presentation?.grantId ?? '');
  if (!grant || !presentation) return [];
  const sequence = Number(presentation.refreshToken.split('#')[1]);
  const rows = ledger.rowsOfGrant(grant.owner, grant.grantId).filter(({ refreshSequence }) => refreshSequence === sequence);
  return rows.flatMap(({ version }) => sendingsOf(ledger, version).map(({ at }) => at)).sort((a, b) => a - b);
}
