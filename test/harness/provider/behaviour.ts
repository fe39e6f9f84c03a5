/**
 * How a token endpoint can go wrong. "Commits" means that the refresh has taken place at the provider: the presented
 * refresh token is spent, whatever the client gets to see.
 */
export type Behaviour =
  /** An HTTP error, before the commit unless `afterCommit`. `retryAfter`: seconds, or a date. */
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: number | Date; readonly afterCommit?: boolean }
  /** Refuses a refresh token that is good, as providers do on concurrent use; does not commit. Status 400 unless given. */
  | { readonly kind: 'invalid-grant'; readonly status?: 400 | 401 | 403; readonly description?: string }
  /** Refuses a client that is right; does not commit. Status 401 unless given. */
  | { readonly kind: 'invalid-client'; readonly status?: 400 | 401 }
  /** An OAuth error under status 200; does not commit. */
  | { readonly kind: 'error-in-200'; readonly error: string }
  /** 302 to `location` (default: the endpoint itself under another name); does not commit. */
  | { readonly kind: 'redirect'; readonly location?: string }
  /** Closes the connection after reading the request, without committing. */
  | { readonly kind: 'drop-request' }
  /** Commits, then closes the connection without a byte. */
  | { readonly kind: 'lose-answer' }
  /** Commits, then closes the connection in the middle of the body. */
  | { readonly kind: 'cut-body' }
  /** Says nothing until `release()`, then answers; commits on arrival unless `commits` is false (then it answers 503). */
  | { readonly kind: 'hang'; readonly commits?: boolean }
  /** Commits on arrival, answers after `ms`. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** Commits, sends the head at once and the body in ten pieces over `ms`. */
  | { readonly kind: 'trickle'; readonly ms: number }
  /** Commits, answers with broken JSON. */
  | { readonly kind: 'garbage' }
  /** Commits, answers 200 with an empty body. */
  | { readonly kind: 'empty' }
  /** Commits, answers with more than 1 MiB of JSON. */
  | { readonly kind: 'oversized'; readonly bytes?: number }
  /** Commits, answers as `application/x-www-form-urlencoded`. */
  | { readonly kind: 'form-encoded' }
  /** Commits, answers JSON under another content type. */
  | { readonly kind: 'content-type'; readonly value: string }
  /** Commits, leaves the field out; without `refresh_token` the presented one stays good (RFC 6749 section 6). */
  | { readonly kind: 'omit'; readonly field: 'access_token' | 'refresh_token' | 'expires_in' | 'token_type' }
  /** Commits, writes `expires_in` in another way; the token lives as long as ever. */
  | { readonly kind: 'expires-in'; readonly as: 'string' | 'float' | 'negative' | 'zero' | 'huge' | 'text' | 'null' }
  /** Commits, with tokens of this many characters (default 8192). */
  | { readonly kind: 'long-tokens'; readonly length?: number }
  /** Commits, rotates the refresh token, but gives the access token that was already out. */
  | { readonly kind: 'same-access-token' };

/** What tells one request from another before it is answered. */
export interface Arrived {
  /** Whose refresh token it presents; null where it is nobody's. */
  readonly grantId: string | null;
  /** The port from which the client sent it; undefined where its connection is gone already. */
  readonly clientPort: number | undefined;
}

/** Chooses for each request, as it arrives and before anything is committed; null means to behave. */
export type BehaviourChooser = (request: Arrived) => Behaviour | null;

/** True for behaviours whose answer, though it arrives whole, does not say whether the refresh took place. */
export function answersWithoutSaying(behaviour: Behaviour): boolean {
  switch (behaviour.kind) {
    case 'status':
      return behaviour.status >= 500 && behaviour.status !== 503;
    case 'omit':
      return behaviour.field === 'access_token';
    case 'garbage':
    case 'empty':
    case 'oversized':
      return true;
    default:
      return false;
  }
}

/** True for behaviours under which the presented refresh token is never looked at. */
export function refusesBeforeCommit(behaviour: Behaviour): boolean {
  switch (behaviour.kind) {
    case 'status':
      return behaviour.afterCommit !== true;
    case 'hang':
      return behaviour.commits === false;
    case 'invalid-grant':
    case 'invalid-client':
    case 'error-in-200':
    case 'redirect':
    case 'drop-request':
      return true;
    default:
      return false;
  }
}
