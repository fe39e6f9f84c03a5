import type { Secret } from './secret.ts';

/** What a provider granted (RFC 6749 section 5.1). */
export interface Grant {
  readonly accessToken: Secret;
  /** null where the answer omitted it: the one that was sent stays valid (RFC 6749 section 6). */
  readonly refreshToken: Secret | null;
  /** ms; null where the answer gave no lifetime. */
  readonly validityMs: number | null;
}

/** Why a refresh did not bring a token. `detail` is fit for people and never holds a secret. */
export type RefreshFailure =
  /** Nothing left this machine (DNS, connect, TLS): the refresh token is unused. */
  | { readonly kind: 'unreachable'; readonly detail: string }
  /** The provider answered and did not use the refresh token (a status that is retried, 429, 503). */
  | { readonly kind: 'unavailable'; readonly status: number; readonly retryAfterMs: number | null; readonly detail: string }
  /** RFC 6749 section 5.2 `invalid_client`: the credentials of the client are refused. */
  | { readonly kind: 'invalid_client'; readonly status: number; readonly detail: string }
  /** RFC 6749 section 5.2 `invalid_grant`: the refresh token is refused. */
  | { readonly kind: 'invalid_grant'; readonly status: number; readonly detail: string }
  /** Any other refusal that the provider spelled out. */
  | { readonly kind: 'refused'; readonly status: number; readonly detail: string }
  /** Something left and no answer could be read: whether the provider used the refresh token is not known. */
  | { readonly kind: 'in_doubt'; readonly status: number | null; readonly detail: string };

/** One after which the refresh token is as good as before, or is refused for good: nothing that could be lost. */
export type KnownFailure = Exclude<RefreshFailure, { readonly kind: 'in_doubt' }>;

/** Nothing left, and nothing will: the claim was no longer held, or could not be moved on at once, or no courier was there. */
export interface GivenBack {
  readonly kind: 'given_back';
}

/** An end of an attempt of which is known that it did not use the refresh token. */
export type UnusedEnd = KnownFailure | GivenBack;

/** What the token endpoint said to one request. */
export type TokenAnswer = { readonly kind: 'granted'; readonly grant: Grant } | RefreshFailure;
