import { describe, expect, test } from 'vitest';

import { trustedUntil } from '../../src/domain/lease.ts';
import { bestOf, expiresAt, handOutMarginMs, isUsable, outranks, type LiveToken } from '../../src/domain/token.ts';

const now = 1_900_000_000_000;

function live(changes: Partial<LiveToken> = {}): LiveToken {
  return { slot: 'a', version: 1, uc: 0, phase: 'ready', expiresAt: now + 60_000, accessToken: 'at', ...changes };
}

describe('a token', () => {
  test('expires its lifetime after it was issued', () => {
    expect(expiresAt({ issuedAt: now, validityMs: 3_600_000 })).toBe(now + 3_600_000);
  });

  test('is usable while it is ready and lives for longer than a caller needs', () => {
    expect(isUsable(live(), now)).toBe(true);
    expect(isUsable(live({ expiresAt: now + handOutMarginMs + 1 }), now)).toBe(true);
    expect(isUsable(live({ expiresAt: now + handOutMarginMs }), now)).toBe(false);
    expect(isUsable(live({ expiresAt: now - 1 }), now)).toBe(false);
  });

  test.each([{ phase: 'withdrawn' }, { phase: 'gone' }, { accessToken: '' }] as const)('that is %j is not usable', (changes) => {
    expect(isUsable(live(changes), now)).toBe(false);
  });
});

describe('the rank of two views of a slot', () => {
  test('is by the version, then by the update count, and nothing outranks its equal', () => {
    expect(outranks(live({ version: 2 }), live({ version: 1, uc: 99 }))).toBe(true);
    expect(outranks(live({ version: 1, uc: 99 }), live({ version: 2 }))).toBe(false);
    expect(outranks(live({ uc: 2 }), live({ uc: 1 }))).toBe(true);
    expect(outranks(live({ uc: 1 }), live({ uc: 1, phase: 'gone' }))).toBe(false);
  });

  test('puts what was given back before its withdrawal, and before nothing of a higher update count', () => {
    expect(outranks(live({ phase: 'given_back' }), live({ phase: 'withdrawn' }))).toBe(true);
    expect(outranks(live({ phase: 'withdrawn' }), live({ phase: 'given_back' }))).toBe(false);
    for (const phase of ['given_back', 'ready', 'gone'] as const) expect(outranks(live({ phase: 'given_back' }), live({ phase }))).toBe(false);
    expect(outranks(live({ phase: 'given_back' }), live({ uc: 1, phase: 'withdrawn' }))).toBe(false);
    expect(isUsable(live({ phase: 'given_back' }), 0)).toBe(true);
  });

  test('is a strict order: of any two different ones exactly one outranks the other', () => {
    for (let i = 0; i < 1_000; i++) {
      const [a, b] = [0, 1].map(() => live({ version: Math.floor(Math.random() * 4), uc: Math.floor(Math.random() * 4) })) as [LiveToken, LiveToken];
      const same = a.version === b.version && a.uc === b.uc;
      expect([outranks(a, b), outranks(b, a)].filter(Boolean)).toHaveLength(same ? 0 : 1);
    }
  });
});

describe('the best of a pool', () => {
  test('is the usable token that lives longest', () => {
    const tokens = [live({ expiresAt: now + 10_000 }), live({ slot: 'b', expiresAt: now + 30_000 }), live({ slot: 'c', expiresAt: now + 20_000 })];
    expect(bestOf(tokens, now)?.slot).toBe('b');
  });

  test('is never one that is withdrawn, gone, expired or empty, even if nothing else is there', () => {
    const useless = [live({ phase: 'withdrawn' }), live({ phase: 'gone', accessToken: '' }), live({ expiresAt: now }), live({ accessToken: '' })];
    expect(bestOf(useless, now)).toBeUndefined();
    expect(bestOf([...useless, live({ slot: 'good', expiresAt: now + 1_000 })], now)?.slot).toBe('good');
    expect(bestOf([], now)).toBeUndefined();
  });

  test('is usable whenever any is, in random pools', () => {
    for (let i = 0; i < 500; i++) {
      const tokens = Array.from({ length: 5 }, () => live({ phase: (['ready', 'withdrawn', 'gone'] as const)[i % 3] ?? 'ready', expiresAt: now + Math.floor(Math.random() * 400 - 200) }));
      const usable = tokens.filter((token) => isUsable(token, now));
      const best = bestOf(tokens, now);
      expect(best === undefined).toBe(usable.length === 0);
      if (best) expect(best.expiresAt).toBe(Math.max(...usable.map((token) => token.expiresAt)));
    }
  });
});

describe('a lease', () => {
  test('is trusted for two thirds of its time, from when its renewal began', () => {
    expect(trustedUntil(1_000, 12_000)).toBe(9_000);
  });

  test('ends for its holder before it can be another\'s, even where their clocks run at rates up to 1.5 apart', () => {
    for (const leaseMs of [1_000, 12_000, 60_000]) expect((trustedUntil(0, leaseMs) - 0) * 1.5).toBeLessThanOrEqual(leaseMs);
  });
});
