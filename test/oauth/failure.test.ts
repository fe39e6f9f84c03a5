import { describe, expect, it } from 'vitest';

import type { RefreshFailure } from '../../src/domain/refresh-outcome.ts';
import { Secret } from '../../src/domain/secret.ts';
import { answerFields } from '../../src/oauth/answer-fields.ts';
import { failureOf } from '../../src/oauth/failure.ts';

const now = Date.parse('2026-01-01T00:00:00Z');

interface Said {
  readonly body?: unknown;
  readonly retryStatuses?: readonly number[];
  readonly retryAfter?: string;
  readonly secrets?: readonly string[];
}

function failure(status: number, { body = '', retryStatuses = [], retryAfter, secrets = [] }: Said = {}): RefreshFailure {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const reply = { status, headers: { 'retry-after': retryAfter }, body: text };
  return failureOf(reply, answerFields(text), { retryStatuses, secrets: secrets.map((secret) => new Secret(secret)), now });
}

describe('A failed refresh', () => {
  it.each([400, 401, 403, 200])('is invalid_grant where the provider says so under status %i', (status) => {
    expect(failure(status, { body: { error: 'invalid_grant' } })).toMatchObject({ kind: 'invalid_grant', status });
  });

  it('is not invalid_grant where another request with the token is under way (Salesforce)', () => {
    const body = { error: 'invalid_grant', error_description: 'token request is already being processed' };
    expect(failure(400, { body }).kind).toBe('unavailable');
  });

  it.each([
    [400, { error: 'invalid_client' }],
    [401, { error: 'invalid_client' }],
    [400, { error: 'unauthorized_client' }],
    [401, ''],
    [401, '<html>Unauthorized</html>'],
  ])('is invalid_client for status %i and %j', (status, body) => {
    expect(failure(status, { body })).toMatchObject({ kind: 'invalid_client', status });
  });

  it.each([
    [400, { error: 'invalid_request' }],
    [400, { error: 'unsupported_grant_type' }],
    [400, { error: 'something_of_their_own' }],
    [500, { error: 'invalid_scope' }],
    [404, 'not here'],
    [302, ''],
    [307, { error: 'moved' }],
  ])('is refused for status %i and %j', (status, body) => {
    expect(failure(status, { body })).toMatchObject({ kind: 'refused', status });
  });

  it.each([
    [500, ''],
    [502, '<html>Bad Gateway</html>'],
    [504, ''],
    [500, { error: 'server_error' }],
    [500, { error: 'something_of_their_own' }],
    [400, { error: 'server_error' }],
  ])('is in doubt for status %i and %j: the provider may have used the refresh token', (status, body) => {
    expect(failure(status, { body })).toMatchObject({ kind: 'in_doubt', status });
  });

  it.each([408, 425, 429, 503])('is transient under status %i', (status) => {
    expect(failure(status)).toMatchObject({ kind: 'unavailable', status, retryAfterMs: null });
  });

  it('is transient under the statuses that the operator lists, and only without success', () => {
    expect(failure(500, { retryStatuses: [500] }).kind).toBe('unavailable');
    expect(failure(401, { retryStatuses: [401], body: { error: 'invalid_client' } }).kind).toBe('unavailable');
    expect(failure(200, { retryStatuses: [200] }).kind).toBe('in_doubt');
  });

  it.each([
    ['7', 7000],
    [' 0 ', 0],
    ['999999', 3_600_000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['Sun, 01 Feb 2026 00:00:00 GMT', 3_600_000],
    ['-5', null],
    ['later', null],
    ['', null],
  ])('that is told to wait "%s" waits %s ms', (retryAfter, retryAfterMs) => {
    expect(failure(503, { retryAfter }).kind === 'unavailable' && failure(503, { retryAfter })).toMatchObject({ retryAfterMs });
  });
});

describe('The detail of a failure', () => {
  it('gives status, error and description', () => {
    const body = { error: 'invalid_grant', error_description: 'Token has been expired\r\nor revoked.' };
    expect(failure(400, { body }).detail).toBe('status 400, invalid_grant (Token has been expired or revoked.)');
  });

  it('hides what was sent, whether it comes back as it is or encoded', () => {
    const secret = 's3cr+t/x';
    const body = { error: 'invalid_grant', error_description: `"${secret}" or ${encodeURIComponent(secret)} is unknown` };
    expect(failure(400, { body, secrets: [secret] }).detail).toBe('status 400, invalid_grant ("***" or *** is unknown)');
    expect(failure(400, { body: { error: 'tok-1' }, secrets: ['tok-1'] }).detail).not.toContain('tok-1');
  });

  it('hides what looks like a token', () => {
    const body = { error: 'invalid_grant', error_description: `eyJhbGciOi.J9.x-_~+/=abc is revoked` };
    expect(failure(400, { body }).detail).toBe('status 400, invalid_grant (*** is revoked)');
  });

  it('shows no long error and cuts a long description', () => {
    expect(failure(400, { body: { error: `e${'!'.repeat(9)}` } }).detail).toBe('status 400, an error that is not shown');
    expect(failure(400, { body: { error: 'e'.repeat(65) } }).detail).not.toContain('eee');
    const long = failure(400, { body: { error: 'x', error_description: 'word '.repeat(100) } }).detail;
    expect(long.length).toBeLessThan(150);
  });
});
