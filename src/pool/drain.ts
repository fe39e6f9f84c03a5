import { withdrawsDuringRefresh, type Owner } from '../domain/owner.ts';
import { expiresAt, type Token } from '../domain/token.ts';

/**
 * After a token is withdrawn, the longest time until no node hands it out any more, ms:
 * a node that has lost the feed notices after 1.5 s, and trusts what it knew for one more second.
 */
const withdrawalReachesAllMs = 2500;
/** The same where the feed works, ms. */
const withdrawalUsuallyReachesAllMs = 500;
/** The owner's other token must outlive the drain by the time that a refresh takes, ms. */
const refreshTakesMs = 1000;

/** How long a token of the owner is drained before its refresh, where its other token lives long enough, ms. */
export function drainMs(owner: Owner): number {
  return owner.resetTimeMs + withdrawalReachesAllMs;
}

/**
 * How long to drain a token that is refreshed now, ms; undefined: it stays with callers until its successor is there.
 * The drain is cut short where the token itself, or the other that callers get meanwhile, does not live that long,
 * but not below the time for which a token that was handed out counts as in use.
 * @param ownLeftMs the rest of the token's life, below 0 where it has expired
 * @param othersLeftMs the rest of the life of the owner's other token that lives longest; -Infinity where there is none
 */
export function drainFor(owner: Owner, ownLeftMs: number, othersLeftMs: number): number | undefined {
  const left = Math.max(0, ownLeftMs);
  const possible = Math.min(drainMs(owner), left, othersLeftMs - refreshTakesMs);
  const least = Math.min(left, owner.resetTimeMs + withdrawalUsuallyReachesAllMs);
  return withdrawsDuringRefresh(owner, possible >= least) ? possible : undefined;
}

/** The rest of the life of the owner's other token that lives longest and is not itself being refreshed, ms; -Infinity where there is none. */
export function othersLeftMs(token: Token, siblings: readonly Token[], now: number): number {
  const others = siblings.filter((other) => other.slot !== token.slot && other.accessToken !== null && other.state !== 'claimed' && other.state !== 'sending');
  return Math.max(-Infinity, ...others.map((other) => expiresAt(other) - now));
}
