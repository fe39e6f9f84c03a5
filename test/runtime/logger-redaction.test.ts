import { inspect } from 'node:util';

import { expect, test } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { fingerprint } from '../../src/runtime/fingerprint.ts';
import { maskText } from '../../src/runtime/log-masking.ts';
import { redactFields } from '../../src/runtime/log-redaction.ts';

const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.s3cr3t_sig';

test.each([
  'token', 'Token', 'access_token', 'accessToken', 'ACCESSTOKEN', 'refresh_token', 'refreshtoken', 'tokenauth', 'tokenAuth',
  'client_secret', 'clientSecret', 'password', 'smtpPassword', 'authorization', 'Authorization', 'proxy-authorization', 'secret', 'set-cookie',
  'client_assertion', 'apiKey', 'private_key', 'oldTokens', 'credentials',
])('a field named %s is hidden at any depth', (name) => {
  const safe = redactFields({ [name]: 's3cr3t', list: [{ deep: { [name]: { inner: 's3cr3t' } } }], map: new Map([[name, 's3cr3t']]) });
  expect(JSON.stringify(safe)).not.toContain('s3cr3t');
  expect(safe[name]).toBe('[redacted]');
});

test('names and counts beside a token stay readable', () => {
  const fields = { tokenId: 17, tokenUrl: 'https://a.example/token', tokens: 3, owner: 'x', tokenFingerprint: 'ab12cd34', hasToken: true, token: null };
  expect(redactFields(fields)).toEqual(fields);
});

test.each([
  ['Bearer s3cr3t.a-b_c~d+e/f=='],
  ['authorization: basic czNjcjN0'],
  ['grant_type=refresh_token&refresh_token=s3cr3t&client_secret=s3cr3t%20x'],
  ['{"access_token": "s3cr3t", "expires_in": 3600, "refresh_token":"s3cr3t\\"s3cr3t"}'],
  ['{"body":"{\\"access_token\\":\\"s3cr3t\\"}"}'],
  ["{ access_token: 's3cr3t', client_secret: \"s3cr3t\" }"],
  ['{"password":s3cr3t}'],
  ['access_token: s3cr3t'],
  ['{"access_token":"s3cr3t cut off he'],
  ['redis://user:s3cr3t@cache:6379/0'],
  ['mysql://root:s3cr3t@db/x'],
  ['PUT /tokenservice/refresh/air%20tel/s3cr3t answered 400'],
  [`token was ${jwt} then`],
  ['jdbc:mysql://db/x?user=a&password=s3cr3t&useSSL=false'],
  ['sealed:v1:k1:s3cr3t'],
])('a credential is masked in the text %s', (text) => {
  const masked = maskText(text);
  expect(masked).not.toMatch(/s3cr3t|czNjcjN0/);
  expect(masked).toContain('[redacted]');
});

test.each(['Token refreshed for owner airtel', 'invalid token: expired', 'https://login.example/oauth2/token?x=1', 'POST /tokenservice/restart/airtel', 'a mail to ops@example.com'])(
  'a harmless text stays as it is: %s', (text) => expect(maskText(text)).toBe(text),
);

test('masking a long hostile text takes no long time', () => {
  const begun = performance.now();
  for (const piece of ['a-', 'token ', '"token', 'eyJaaaaaa.', '://', 'password=', '\\"token\\"', 'x://y']) maskText(piece.repeat(20_000));
  expect(performance.now() - begun).toBeLessThan(2_000);
});

test('an error keeps type, message, stack, code and cause, and loses everything else', () => {
  const cause = Object.assign(new TypeError('token=s3cr3t'), { code: 'ECONNRESET', options: { headers: { authorization: 's3cr3t' } } });
  const error = new AggregateError([new Error('Basic s3cr3t')], 'Bearer s3cr3t', { cause });
  const { err } = redactFields({ err: error }) as { err: Record<string, unknown> };
  expect(inspect(err, { depth: 9 })).not.toContain('s3cr3t');
  expect(err).toMatchObject({ type: 'AggregateError', message: 'Bearer [redacted]', cause: { type: 'TypeError', code: 'ECONNRESET' } });
  expect(Object.keys(err['cause'] as object).sort()).toEqual(['code', 'message', 'stack', 'type']);
});

test('cycles, depth, size, binary data and secrets are made harmless', () => {
  const round: Record<string, unknown> = { name: 'round' };
  round['self'] = round;
  let deep: object = { end: 's3cr3t' };
  for (let index = 0; index < 20; index += 1) deep = { deep };
  const safe = redactFields({ round, deep, many: Array.from({ length: 500 }, () => 1), bytes: Buffer.from('s3cr3t'), held: { it: new Secret('s3cr3t') }, big: 10n });
  expect(safe).toMatchObject({ round: { self: '[circular]' }, bytes: '[6 bytes]', held: { it: '[secret]' }, big: '10' });
  expect(safe['many']).toHaveLength(101);
  expect(JSON.stringify(safe)).not.toContain('s3cr3t');
});

test('a value that occurs twice without a cycle is written twice', () => {
  const shared = { a: 1 };
  expect(redactFields({ one: shared, two: shared })).toEqual({ one: { a: 1 }, two: { a: 1 } });
});

test('a fingerprint is 8 hex digits, the same for the same secret', () => {
  expect(fingerprint('abc')).toBe('ba7816bf');
  expect(fingerprint('abd')).not.toBe(fingerprint('abc'));
});
