import { withdrawsDuringRefresh, type Owner } from '../domain/owner.ts';
import { expiresAt, type LiveToken, type Token } from '../domain/token.ts';

/** How a token of the record looks to callers. @param siblings the current tokens of all slots of the owner */
export function liveView(owner: Owner, token: Token, siblings: readonly Token[], now: number): LiveToken {
  const underWay = token.state === 'claimed' || token.state === 'sending';
  const withdrawn = underWay && withdrawsDuringRefresh(owner, hasOtherUsable(token, siblings, now));
  return {
    slot: token.slot,
    version: token.version,
    uc: token.uc,
    phase: token.accessToken === null ? 'gone' : withdrawn ? 'withdrawn' : 'ready',
    expiresAt: expiresAt(token),
    accessToken: token.accessToken?.reveal() ?? '',
  };
}

/** Whether callers can be served by another token of the owner for the next `forMs`. */
export function hasOtherUsable(token: Token, siblings: readonly Token[], now: number, forMs = 0): boolean {
  return siblings.some((other) => other.slot !== token.slot && isAtHand(other) && expiresAt(other) > now + forMs);
}

function isAtHand(token: Token): boolean {
  return token.accessToken !== null && token.state !== 'claimed' && token.state !== 'sending';
}
