import { expiresAt, type Token } from './token.ts';

/** The time in which a slot had nothing to hand out: its token had expired, and the next one was not there yet. Epoch ms. */
export interface Lapse {
  readonly from: number;
  readonly until: number;
}

/** A token that was withdrawn for its refresh may be replaced this much after its end, ms: callers have another. */
const withdrawnAllowanceMs = 10_000;

/**
 * How a token lapsed that is replaced at `now`; undefined: it did not. One whose refresh was planned for its end or later does not either:
 * it had expired when it came, or nobody wanted it earlier.
 * @param withdrawn whether it was taken from callers, while it lived, for its refresh
 */
export function lapseOf(token: Token, withdrawn: boolean, now: number): Lapse | undefined {
  const from = expiresAt(token);
  if (token.accessToken === null || token.validityMs <= 0 || now <= from + (withdrawn ? withdrawnAllowanceMs : 0)) return undefined;
  const wasWantedEarlier = token.retryCount > 0 || (token.dueAt !== null && token.dueAt < from);
  return wasWantedEarlier ? { from, until: now } : undefined;
}

/** Whether people know already that the refresh of the token does not go as it should. */
export function isKnownToFail(token: Token): boolean {
  return token.retryCount > 0 || token.state === 'in_doubt';
}
