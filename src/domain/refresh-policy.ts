import type { Owner, ProviderPolicy } from './owner.ts';
import type { KnownFailure } from './refresh-outcome.ts';

/** How often `invalid_grant` must be heard before a grant is declared dead. */
const confirmationsOfInvalidGrant = 2;

/** What becomes of a token row after an attempt that did not use its refresh token, or was refused for good. */
export type NextStep =
  | { readonly step: 'retry'; readonly atMs: number; readonly attempt: number }
  /** The retries are used up; only a restart of the pool goes on. */
  | { readonly step: 'stop' }
  /** The provider declared the grant invalid, and confirmed it. */
  | { readonly step: 'bury' };

/** Attempts of one row, this one included. */
export interface FailureCounts {
  /** That failed in a row. */
  readonly failures: number;
  /** Of these, those that heard `invalid_grant`, as far as is known. */
  readonly refusals: number;
}

/** @param now epoch ms */
export function afterFailure(failure: KnownFailure, owner: Owner, { failures, refusals }: FailureCounts, now: number): NextStep {
  if (failure.kind === 'invalid_grant' && refusals >= confirmationsOfInvalidGrant) return { step: 'bury' };
  if (failures > owner.retryMax) return { step: 'stop' };
  const wait = failure.kind === 'unavailable' ? Math.max(owner.retryDelayMs, failure.retryAfterMs ?? 0) : owner.retryDelayMs;
  return { step: 'retry', atMs: now + wait, attempt: failures };
}

/** What may be done with a row in doubt, by the provider's policy. */
export type Settlement = 'ask_again' | 'never_ask';

/** @param ageMs how long ago the request may have left */
export function settlement(policy: ProviderPolicy, graceMs: number, ageMs: number): Settlement {
  switch (policy) {
    case 'non_rotating':
      return 'ask_again';
    case 'grace':
      return ageMs < graceMs ? 'ask_again' : 'never_ask';
    case 'reuse_detect':
      return 'never_ask';
  }
}
