import type { Presentation } from '../../harness/provider/account.ts';
import type { Check } from '../evidence.ts';
import type { LedgerOwner } from './ledger.ts';
import { clockTime, Tally } from './tally.ts';

/**
 * The provider's account judges: a reuse is one whatever the owner's policy. Of an owner whose provider minds, a token is not presented
 * again either as long as nobody knows whether it was used. One that no provider issued must not be presented at all.
 */
export const presentedOnce: Check = ({ providers, grants }, ledger) => {
  const tally = new Tally('No refresh token was presented twice to a provider that minds');
  const owners = new Map([...ledger.owners.values()].map((owner) => [owner.id, owner]));
  for (const provider of providers) {
    const ownerOf = new Map(grants.filter((grant) => grant.provider === provider).map(({ grantId, owner }) => [grantId, owners.get(owner)]));
    const ofToken = Map.groupBy(provider.account.presentations, ({ refreshToken }) => refreshToken);
    for (const presentations of ofToken.values()) {
      for (const [index, presentation] of presentations.entries()) {
        tally.case(faultOf(presentation, presentations[index - 1], ownerOf.get(presentation.grantId ?? '')));
      }
    }
  }
  return tally.finding();
};

export const noGrantRevoked: Check = ({ providers, grants }) => {
  const tally = new Tally('No grant was revoked because of a refresh token that came back');
  for (const provider of providers) {
    const placed = grants.filter((grant) => grant.provider === provider).length;
    const { grantsRevoked } = provider.account;
    for (let index = 0; index < Math.max(placed, grantsRevoked); index++) tally.case(index < grantsRevoked ? `a grant at ${provider.tokenUrl}` : undefined);
  }
  return tally.finding();
};

function faultOf(presentation: Presentation, before: Presentation | undefined, owner: LedgerOwner | undefined): string | undefined {
  const { refreshToken, outcome, at } = presentation;
  if (outcome === 'reuse' || outcome === 'unknown token' || outcome === 'other client') return `${clockTime(at)} ${refreshToken}: ${outcome}`;
  if (!before || owner?.policy !== 'reuse_detect' || (saidStillGood(before) && outcome !== 'repeated in grace')) return undefined;
  return `${clockTime(at)} ${refreshToken}: presented again (${outcome}), though nobody knew what had become of it at ${clockTime(before.at)} (${before.outcome})`;
}

/** The provider answered, and all of this answer was sent, that it had not looked at the token, or that it keeps it: a spent one would come back as a reuse. */
function saidStillGood({ outcome, answeredAt }: Presentation): boolean {
  return (outcome === 'held off' || outcome === 'client refused' || outcome === 'refreshed') && answeredAt !== undefined;
}
