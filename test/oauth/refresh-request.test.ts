import { describe, expect, it } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { clientOf, refreshRequest } from '../../src/oauth/refresh-request.ts';

const row = { tokenUrl: 'https://login.example.org/oauth/token', auth: new Secret(btoa('client:s%cr+t')), refreshToken: new Secret('a+b/c=d&e f~é') };

describe('A refresh request', () => {
  it('carries the refresh token form-encoded and the client as HTTP Basic', () => {
    const request = refreshRequest(row);
    expect(request.url.href).toBe(row.tokenUrl);
    expect(request.authorization.reveal()).toBe(`Basic ${btoa('client:s%cr+t')}`);
    expect(request.form.reveal()).toBe('grant_type=refresh_token&refresh_token=a%2Bb%2Fc%3Dd%26e+f%7E%C3%A9');
  });

  it('shows nothing of its secrets when it is printed', () => {
    expect(JSON.stringify(refreshRequest(row))).not.toMatch(/Basic |%2B/);
  });

  it.each(['', 'nowhere', 'ftp://login.example.org/token', 'file:///etc/passwd', 'https://', 'https://user:pass@login.example.org/token'])(
    'is not made for the token URL "%s" (TPS0018)',
    (tokenUrl) => {
      expect(() => refreshRequest({ ...row, tokenUrl })).toThrow(expect.objectContaining({ code: 'TPS0018' }));
    },
  );

  it.each(['', ' ', 'not base64!', btoa('no colon'), btoa(':no id'), `${btoa('client:x')}\r\nX-Injected: 1`])('is not made with the client authentication "%s" (TPS0019)', (auth) => {
    expect(() => refreshRequest({ ...row, auth: new Secret(auth) })).toThrow(expect.objectContaining({ code: 'TPS0019' }));
  });

  it('is not made without a refresh token (TPS0015)', () => {
    expect(() => refreshRequest({ ...row, refreshToken: new Secret('') })).toThrow(expect.objectContaining({ code: 'TPS0015' }));
  });
});

describe('Client authentication', () => {
  it('splits at the first colon', () => {
    const { id, secret } = clientOf(new Secret(btoa('client:a:b')));
    expect([id, secret.reveal()]).toEqual(['client', 'a:b']);
  });

  it('allows an empty secret and surrounding blanks', () => {
    expect(clientOf(new Secret(` ${btoa('public:')}\n`)).secret.reveal()).toBe('');
  });
});
