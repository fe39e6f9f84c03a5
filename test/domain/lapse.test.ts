import { describe, expect, test } from 'vitest';

import { isKnownToFail, lapseOf } from '../../src/domain/lapse.ts';
import { Secret } from '../../src/domain/secret.ts';
import type { Token } from '../../src/domain/token.ts';

const issuedAt = 1_900_000_000_000;
const expiry = issuedAt + 60_000;

function token(over: Partial<Token> = {}): Token {
  return {
    version: 12,
    ownerDid: 1,
    slot: '0123456789abcdef',
    auth: new Secret('YTpi'),
    accessToken: new Secret('at'),
    refreshToken: new Secret('rt'),
    issuedAt,
    validityMs: 60_000,
    state: 'idle',
    uc: 0,
    attempt: null,
    attemptEpoch: null,
    stateSince: null,
    retryCount: 0,
    dueAt: expiry - 5000,
    ...over,
  };
}

describe('a token lapses', () => {
  test('from its expiry until it is replaced', () => {
    expect(lapseOf(token(), false, expiry + 42_000)).toEqual({ from: expiry, until: expiry + 42_000 });
  });

  test('though its refresh was tried, failed, and was planned for later', () => {
    expect(lapseOf(token({ retryCount: 2, dueAt: expiry + 10_000 }), false, expiry + 11_000)).toBeDefined();
  });

  test('when it was withdrawn for a refresh that does not end, too', () => {
    expect(lapseOf(token(), true, expiry + 30_000)).toEqual({ from: expiry, until: expiry + 30_000 });
  });
});

describe('a token does not lapse', () => {
  test.each([
    ['that is replaced in time', token(), false, expiry - 1],
    ['that was withdrawn for its refresh, and is replaced soon after its end', token(), true, expiry + 5000],
    ['that had expired when it was taken in, and was planned for then', token({ dueAt: expiry + 86_400_000 }), false, expiry + 86_401_000],
    ['for which nothing was planned', token({ dueAt: null }), false, expiry + 1000],
    ['whose refresh is wanted no earlier than its end', token({ dueAt: expiry }), false, expiry + 1000],
    ['that there is none of', token({ accessToken: null }), false, expiry + 1000],
    ['that never lived', token({ validityMs: 0, dueAt: issuedAt - 1 }), false, issuedAt + 1000],
  ])('%s', (_, given, withdrawn, now) => {
    expect(lapseOf(given, withdrawn, now)).toBeUndefined();
  });
});

test('people know of a refresh that failed or is in doubt, and of no other', () => {
  expect([token(), token({ retryCount: 1 }), token({ state: 'in_doubt' }), token({ state: 'sending' })].map(isKnownToFail)).toEqual([false, true, true, false]);
});
