import type { ErrorCode } from '../domain/errors.ts';
import type { RefreshFailure } from '../domain/refresh-outcome.ts';
import type { TokenState } from '../domain/token.ts';

/** How a refresh ended. */
export type RefreshResult =
  | { readonly kind: 'refreshed'; readonly version: number }
  /** An attempt was made, or could not be made, and brought no token. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly failure: RefreshFailure['kind'] | 'error' }
  /** No attempt was made. */
  | { readonly kind: 'skipped'; readonly reason: SkipReason };

/**
 * `gone`: the row is no longer valid. `not_due`: it was planned anew. `held`: its client waits. `fenced`: this node is no longer master.
 * `taken`: another attempt holds it. `given_back`: the claim was given back unsent. The rest are states of the row.
 */
export type SkipReason = 'gone' | 'not_due' | 'held' | 'fenced' | 'taken' | 'given_back' | Exclude<TokenState, 'idle'>;

/** Whether the same may go well in a moment: the master changes, or another attempt is under way. */
export function mayPass(reason: SkipReason): boolean {
  return ['fenced', 'given_back', 'taken', 'claimed', 'sending'].includes(reason);
}

/** What a caller of PUT refresh is told of a failed attempt. */
export function codeOf(failure: RefreshFailure): ErrorCode {
  switch (failure.kind) {
    case 'unreachable':
    case 'in_doubt':
      return 'TPS0025';
    case 'unavailable':
      return 'TPS0030';
    case 'invalid_client':
      return 'TPS0021';
    case 'invalid_grant':
    case 'refused':
      return 'TPS0020';
  }
}

/** What a caller of PUT refresh is told where no attempt was made. */
export function codeOfSkip(reason: SkipReason): ErrorCode {
  switch (reason) {
    case 'gone':
      return 'TPS0010';
    case 'stopped':
      return 'TPS0026';
    case 'held':
      return 'TPS0021';
    case 'fenced':
      return 'TPS0012';
    case 'not_due':
    case 'taken':
    case 'given_back':
    case 'claimed':
    case 'sending':
    case 'in_doubt':
    case 'dead':
      return 'TPS0020';
  }
}
