import type { RefreshFailure } from '../domain/refresh-outcome.ts';
import type { Secret } from '../domain/secret.ts';
import type { AnswerFields } from './answer-fields.ts';
import { shownDescription, shownError } from './masking.ts';
import { retryAfterMs } from './retry-after.ts';

/** An HTTP answer, whole. */
export interface Reply {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

export interface ReplyContext {
  /** `retryResponseCodes`: statuses that the operator declared transient. */
  readonly retryStatuses: readonly number[];
  /** What must not be shown: all that was sent. */
  readonly secrets: readonly Secret[];
  /** Epoch ms. */
  readonly now: number;
}

/** The codes of RFC 6749 section 5.2, and what some providers say instead. */
const invalidClient = new Set(['invalid_client', 'unauthorized_client', 'incorrect_client_credentials', 'invalid_client_id', 'bad_client_secret']);
const invalidGrant = new Set(['invalid_grant', 'bad_refresh_token', 'invalid_refresh_token']);
const unavailable = new Set(['temporarily_unavailable', 'slow_down', 'ratelimited', 'rate_limited']);
const otherRefusals = new Set(['invalid_request', 'unsupported_grant_type', 'invalid_scope']);
/** The provider broke down, at a moment nobody knows. */
const breakdowns = new Set(['server_error', 'internal_error', 'internal_server_error', 'fatal_error']);

/** The server says that it did not take up the request (RFC 9110 section 15, RFC 6585, RFC 8470). */
const notTakenUp = new Set([408, 425, 429, 503]);

/** Salesforce refuses so while another request with the same refresh token is under way; the token stays good. */
const concurrentRequest = /token request is already being processed/i;

/**
 * What an answer without a token means. It is transient (`unavailable`) or permanent only where the provider surely did not use the
 * refresh token; every other answer leaves the request in doubt.
 * @param fields undefined where the body could not be read
 */
export function failureOf(reply: Reply, fields: AnswerFields | undefined, context: ReplyContext): RefreshFailure {
  const { status } = reply;
  const detail = detailOf(status, fields, context.secrets);
  switch (kindOf(status, fields, context.retryStatuses)) {
    case 'unavailable':
      return { kind: 'unavailable', status, retryAfterMs: retryAfterMs(reply.headers['retry-after'], context.now), detail };
    case 'invalid_client':
      return { kind: 'invalid_client', status, detail };
    case 'invalid_grant':
      return { kind: 'invalid_grant', status, detail };
    case 'refused':
      return { kind: 'refused', status, detail };
    case 'in_doubt':
      return { kind: 'in_doubt', status, detail: `${detail}: whether the refresh token was used is not known` };
  }
}

type AnsweredKind = Exclude<RefreshFailure['kind'], 'unreachable'>;

function kindOf(status: number, fields: AnswerFields | undefined, retryStatuses: readonly number[]): AnsweredKind {
  const succeeded = status >= 200 && status < 300;
  if (notTakenUp.has(status) || (!succeeded && retryStatuses.includes(status))) return 'unavailable';
  const error = fields?.error;
  if (error !== undefined) return kindOfError(error, fields?.description ?? '', status);
  if (status === 401) return 'invalid_client';
  return status >= 300 && status < 500 ? 'refused' : 'in_doubt';
}

function kindOfError(error: string, description: string, status: number): AnsweredKind {
  if (invalidGrant.has(error)) return concurrentRequest.test(description) ? 'unavailable' : 'invalid_grant';
  if (invalidClient.has(error)) return 'invalid_client';
  if (unavailable.has(error)) return 'unavailable';
  const refused = otherRefusals.has(error) || (status < 500 && !breakdowns.has(error));
  return refused ? 'refused' : 'in_doubt';
}

function detailOf(status: number, fields: AnswerFields | undefined, secrets: readonly Secret[]): string {
  const error = fields?.error === undefined ? '' : `, ${shownError(fields.error, secrets)}`;
  const description = fields?.description === undefined ? '' : ` (${shownDescription(fields.description, secrets)})`;
  return `status ${status}${error}${description}`;
}
