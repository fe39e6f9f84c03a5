import type { Behaviour } from './behaviour.ts';
import type { IssuedTokens } from './grant-book.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const head = { 'content-type': 'application/json;charset=UTF-8', 'cache-control': 'no-store', pragma: 'no-cache' };

/** An error as RFC 6749 section 5.2 wants it. */
export function errorAnswer(status: number, error: string, description?: string): Answer {
  const challenge = status === 401 ? { 'www-authenticate': 'Basic realm="provider"' } : {};
  const fields = description === undefined ? { error } : { error, error_description: description };
  return { status, headers: { ...head, ...challenge }, body: JSON.stringify(fields) };
}

export function plainAnswer(status: number, headers: Record<string, string> = {}): Answer {
  return { status, headers: { 'content-type': 'text/html', ...headers }, body: `<h1>${status}</h1>` };
}

/** The answer of a behaviour that refuses before the commit. */
export function refusalAnswer(behaviour: Behaviour): Answer {
  switch (behaviour.kind) {
    case 'status':
      return statusAnswer(behaviour);
    case 'invalid-grant':
      return errorAnswer(behaviour.status ?? 400, 'invalid_grant', behaviour.description ?? 'token request is already being processed');
    case 'invalid-client':
      return errorAnswer(behaviour.status ?? 401, 'invalid_client', 'client authentication failed');
    case 'error-in-200':
      return errorAnswer(200, behaviour.error);
    case 'redirect':
      return plainAnswer(302, { location: behaviour.location ?? '/elsewhere/token' });
    default:
      return plainAnswer(503);
  }
}

/** Tokens as RFC 6749 section 5.1 wants them, or as the behaviour bends them. */
export function tokenAnswer(tokens: IssuedTokens, behaviour: Behaviour | null): Answer {
  if (behaviour?.kind === 'status') return statusAnswer(behaviour);
  if (behaviour?.kind === 'garbage') return { status: 200, headers: head, body: '{"access_token": "half' };
  if (behaviour?.kind === 'empty') return { status: 200, headers: head, body: '' };
  const fields = tokenFields(tokens, behaviour);
  if (behaviour?.kind === 'form-encoded') return formAnswer(fields);
  const headers = behaviour?.kind === 'content-type' ? { ...head, 'content-type': behaviour.value } : head;
  return { status: 200, headers, body: JSON.stringify(fields) };
}

function statusAnswer({ status, retryAfter }: Extract<Behaviour, { kind: 'status' }>): Answer {
  if (retryAfter === undefined) return plainAnswer(status);
  return plainAnswer(status, { 'retry-after': retryAfter instanceof Date ? retryAfter.toUTCString() : String(retryAfter) });
}

function tokenFields(tokens: IssuedTokens, behaviour: Behaviour | null): Record<string, unknown> {
  const fields: Record<string, unknown> = { access_token: tokens.accessToken, token_type: 'Bearer', expires_in: tokens.expiresIn };
  if (tokens.refreshToken !== null) fields['refresh_token'] = tokens.refreshToken;
  if (behaviour?.kind === 'omit') delete fields[behaviour.field];
  if (behaviour?.kind === 'expires-in') fields['expires_in'] = bentExpiresIn(tokens.expiresIn, behaviour.as);
  if (behaviour?.kind === 'oversized') fields['filler'] = 'x'.repeat(behaviour.bytes ?? 1_200_000);
  return fields;
}

function bentExpiresIn(seconds: number, as: Extract<Behaviour, { kind: 'expires-in' }>['as']): unknown {
  const forms = { string: String(seconds), float: seconds + 0.5, negative: -1, zero: 0, huge: 1e18, text: 'soon', null: null };
  return forms[as];
}

function formAnswer(fields: Record<string, unknown>): Answer {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) form.set(name, String(value));
  return { status: 200, headers: { ...head, 'content-type': 'application/x-www-form-urlencoded' }, body: form.toString() };
}
