import { describe, expect, it } from 'vitest';

import type { RefreshFailure } from '../../src/domain/refresh-outcome.ts';
import { attemptFailed, clientRefused, grantDead, grantInDoubt, maximumReached, tokensLapsed } from '../../src/mail/messages.ts';

const at = Date.parse('2026-01-01T10:00:00Z');
const failures: Record<RefreshFailure['kind'], RefreshFailure> = {
  unreachable: { kind: 'unreachable', detail: 'the connection was refused (ECONNREFUSED)' },
  unavailable: { kind: 'unavailable', status: 503, retryAfterMs: null, detail: 'status 503' },
  invalid_client: { kind: 'invalid_client', status: 401, detail: 'status 401, invalid_client' },
  invalid_grant: { kind: 'invalid_grant', status: 400, detail: 'status 400, invalid_grant' },
  refused: { kind: 'refused', status: 404, detail: 'status 404' },
  in_doubt: { kind: 'in_doubt', status: null, detail: 'no whole answer in time' },
};
const about = (kind: RefreshFailure['kind'], ownerId = 'gw 1') => ({ ownerId, tokenUrl: 'https://login.example.org/token?key=hidden', failure: failures[kind] });
const connecting = '[Token Generation Failed]- Error occurs while connecting to "gw 1"';

describe('The subject of a mail', () => {
  it.each<[RefreshFailure['kind'], string]>([
    ['unreachable', connecting],
    ['in_doubt', connecting],
    ['unavailable', '[Token Genaration Failed]- Error Code : "503" in "gw 1"'],
    ['invalid_grant', '[Token Genaration Failed]- Error Code : "400" in "gw 1"'],
    ['refused', '[Token Genaration Failed]- Error Code : "404" in "gw 1"'],
    ['invalid_client', '[Token Generation Failed]- Invalid Credentials in "gw 1"'],
  ])('for %s is the one that mail filters know', (kind, subject) => {
    expect(attemptFailed({ ...about(kind), attempt: 1, attempts: 4, nextAt: at }).subject).toBe(subject);
    expect(maximumReached({ ...about(kind), attempts: 4 }).subject).toBe(subject);
  });

  it('is one line whatever the owner is called', () => {
    expect(attemptFailed({ ...about('refused', 'a\r\nBcc: b'), attempt: 1, attempts: 1, nextAt: at }).subject).toBe('[Token Genaration Failed]- Error Code : "404" in "a Bcc: b"');
  });
});

describe('The text of a mail', () => {
  it('tells owner, endpoint, error, attempt, what happens next and what to do', () => {
    const { text } = attemptFailed({ ...about('unreachable'), attempt: 2, attempts: 4, nextAt: at });
    expect(text).toMatch(/^Owner: gw 1\nToken endpoint: https:\/\/login\.example\.org\/token\nError: the connection was refused \(ECONNREFUSED\)\n\n/);
    expect(text).toContain('attempt 2 of 4');
    expect(text).toMatch(/What happens next: it is tried again at 2026-01-01T10:00:00\.000Z/);
    expect(text).toMatch(/What to do: .*tsxwho\.tokenurl/);
  });

  it('tells that the maximum is reached and how to go on', () => {
    const { text } = maximumReached({ ...about('unavailable'), attempts: 4 });
    expect(text).toContain('failed 4 times: the maximum number of attempts is reached');
    expect(text).toContain('PUT /tokenservice/restart/gw%201');
  });

  it('tells of a grant in doubt whether it is asked again', () => {
    expect(grantInDoubt({ ...about('in_doubt'), asksAgain: true, expiresAt: at }).text).toContain('so it is asked again');
    expect(grantInDoubt({ ...about('in_doubt'), asksAgain: false, expiresAt: at }).text).toMatch(/not presented again.*2026-01-01T10:00:00\.000Z[^]*give consent anew/);
  });

  it('tells of a dead grant', () => {
    expect(grantDead({ ...about('invalid_grant'), expiresAt: at }).text).toMatch(/revoked or has expired[^]*give consent anew[^]*restart/);
  });

  it('names the client that was refused, and that all its owners wait', () => {
    const { subject, text } = clientRefused({ ...about('invalid_client'), clientId: 'client-1', attempt: 1, attempts: 3, nextAt: at });
    expect(subject).toBe('[Token Generation Failed]- Invalid Credentials in "gw 1"');
    expect(text).toMatch(/client "client-1"[^]*attempt 1 of 3[^]*all owners of this client wait[^]*tsttoken\.tokenauth/);
  });

  it('tells that all owners of a client stop with it', () => {
    expect(maximumReached({ ...about('invalid_client'), attempts: 3 }).text).toMatch(/nor are those of other owners with the same client[^]*restart\/gw%201, and so for each of the other owners/);
  });

  it('hides the query and the credentials of an endpoint', () => {
    const { text } = maximumReached({ ...about('refused'), tokenUrl: 'https://user:pass@login.example.org/token?key=hidden', attempts: 1 });
    expect(text).not.toMatch(/hidden|pass@/);
    expect(maximumReached({ ...about('refused'), tokenUrl: 'nowhere', attempts: 1 }).text).toContain('Token endpoint: not a valid address');
  });
});

describe('The mail of tokens that expired before they were refreshed', () => {
  const lapsed = (ownerId: string, version: number) => ({ ownerId, version, from: at, until: at + 42_000 });

  it('names owner, token and times, says what happens next and what to do', () => {
    const { subject, text } = tokensLapsed([lapsed('gw 1', 12)]);
    expect(subject).toBe('[Token Generation Failed]- Token expired before it was refreshed in "gw 1"');
    expect(text).toMatch(/^Owner: gw 1, token 12: expired at 2026-01-01T10:00:00\.000Z, replaced at 2026-01-01T10:00:42\.000Z\n\nAn access token expired/);
    expect(text).toContain('What happens next: ');
    expect(text).toMatch(/What to do: .*refreshWakeUpLeadTime/);
  });

  it('is one for many owners, and does not grow with their number', () => {
    const { subject, text } = tokensLapsed(Array.from({ length: 1234 }, (_, index) => lapsed(`gw ${index}`, index)));
    expect(subject).toBe('[Token Generation Failed]- Token expired before it was refreshed in 1234 owners');
    expect(text).toContain('1234 access tokens expired');
    expect(text).toContain('Owner: gw 99, token 99:');
    expect(text).not.toContain('gw 100,');
    expect(text).toContain('and 1134 more; all are in tstevent');
  });

  it('is one line in its subject whatever the owner is called', () => {
    const { subject, text } = tokensLapsed([lapsed('a\r\nBcc: b', 1)]);
    expect(subject).toBe('[Token Generation Failed]- Token expired before it was refreshed in "a Bcc: b"');
    expect(text).toMatch(/^Owner: a Bcc: b, token 1/);
  });
});
