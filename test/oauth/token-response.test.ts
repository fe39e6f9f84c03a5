import { describe, expect, it } from 'vitest';

import type { Grant, TokenAnswer } from '../../src/domain/refresh-outcome.ts';
import { Secret } from '../../src/domain/secret.ts';
import { readTokenResponse } from '../../src/oauth/token-response.ts';

const context = { retryStatuses: [], secrets: [], now: 0 };

function answerTo(body: unknown, status = 200): TokenAnswer {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return readTokenResponse({ status, headers: {}, body: text }, new Secret('sent'), context);
}

function grantIn(body: unknown): Grant {
  const answer = answerTo(body);
  if (answer.kind !== 'granted') throw new Error(`not granted: ${answer.detail}`);
  return answer.grant;
}

const tenYearsMs = 315_360_000_000;

describe('A token response', () => {
  it('gives the tokens and their lifetime', () => {
    const grant = grantIn({ access_token: 'at', token_type: 'Bearer', expires_in: 3600, refresh_token: 'rt' });
    expect([grant.accessToken.reveal(), grant.refreshToken?.reveal(), grant.validityMs]).toEqual(['at', 'rt', 3_600_000]);
  });

  it.each([
    ['a number', 3600, 3_600_000],
    ['a text', '3600', 3_600_000],
    ['a fraction', 3599.5, 3_599_500],
    ['a fraction as a text', ' 0.5 ', 500],
    ['absurdly large', 1e18, tenYearsMs],
    ['infinite', '1e999', tenYearsMs],
    ['zero', 0, null],
    ['negative', -1, null],
    ['a word', 'soon', null],
    ['empty', '', null],
    ['null', null, null],
    ['a list', [3600], null],
    ['left out', undefined, null],
  ])('reads expires_in that is %s', (_name, expiresIn, validityMs) => {
    expect(grantIn({ access_token: 'at', expires_in: expiresIn }).validityMs).toBe(validityMs);
  });

  it.each([
    ['left out', {}],
    ['empty', { refresh_token: '' }],
    ['null', { refresh_token: null }],
    ['the one that was sent', { refresh_token: 'sent' }],
  ])('has no new refresh token where it is %s', (_name, fields) => {
    expect(grantIn({ access_token: 'at', ...fields }).refreshToken).toBeNull();
  });

  it('is read from a form', () => {
    const grant = grantIn('access_token=a%2Bt&expires_in=28800&refresh_token=r+t&token_type=bearer');
    expect([grant.accessToken.reveal(), grant.refreshToken?.reveal(), grant.validityMs]).toEqual(['a+t', 'r t', 28_800_000]);
  });

  it('is read behind a byte order mark and blanks', () => {
    expect(grantIn('\uFEFF\r\n {"access_token":"at"}\n').accessToken.reveal()).toBe('at');
  });

  it('gives the token even where an error stands beside it, for a token that arrived must not be lost', () => {
    expect(grantIn({ access_token: 'at', error: 'odd' }).accessToken.reveal()).toBe('at');
  });

  it.each([
    ['empty', ''],
    ['garbage', '{"access_token":"a'],
    ['a web page', '<html><a href="?error=1&access_token=2">Sorry</a></html>'],
    ['a list', '[1]'],
    ['null', 'null'],
    ['without a token', { token_type: 'Bearer' }],
    ['with a token that is no text', { access_token: { value: 'at' } }],
    ['with an empty token', { access_token: '' }],
  ])('that is %s leaves the request in doubt', (_name, body) => {
    expect(answerTo(body)).toMatchObject({ kind: 'in_doubt', status: 200 });
  });

  it.each([
    ['bad_refresh_token', 'invalid_grant'],
    ['invalid_grant', 'invalid_grant'],
    ['Invalid_Grant', 'invalid_grant'],
    ['incorrect_client_credentials', 'invalid_client'],
    ['invalid_client', 'invalid_client'],
    ['something_else', 'refused'],
    ['server_error', 'in_doubt'],
  ])('with status 200 and the error %s is %s', (error, kind) => {
    expect(answerTo({ error })).toMatchObject({ kind, status: 200 });
    expect(answerTo(`error=${error}&error_description=x`)).toMatchObject({ kind, status: 200 });
  });

  it('with "ok": false is a refusal (Slack)', () => {
    expect(answerTo({ ok: false, error: 'invalid_refresh_token' }).kind).toBe('invalid_grant');
    expect(answerTo({ ok: false }).kind).toBe('refused');
  });

  it('without success never gives a token', () => {
    expect(answerTo({ access_token: 'at' }, 400).kind).toBe('refused');
  });
});
