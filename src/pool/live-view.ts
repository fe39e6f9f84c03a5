import { withdrawsDuringRefresh, type Owner } from '../domain/owner.ts';
import { expiresAt, handOutMarginMs, type LiveToken, type Token } from '../domain/token.ts';
import { othersLeftMs } from './drain.ts';

/** How a token of the record looks to callers. @param siblings the current tokens of all slots of the owner */
export function liveView(owner: Owner, token: Token, siblings: readonly Token[], now: number): LiveToken {
  const underWay = token.state === 'claimed' || token.state === 'sending';
  const withdrawn = underWay && withdrawsDuringRefresh(owner, othersLeftMs(token, siblings, now) > handOutMarginMs);
  return {
    slot: token.slot,
    version: token.version,
    uc: token.uc,
    phase: token.accessToken === null ? 'gone' : withdrawn ? 'withdrawn' : 'ready',
    expiresAt: expiresAt(token),
    accessToken: token.accessToken?.reveal() ?? '',
  };
}
