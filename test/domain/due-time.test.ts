import { describe, expect, test } from 'vitest';

import { dueAgain, dueTime } from '../../src/domain/due-time.ts';

const rules = { leadTimeMs: 5_000, jitter: 0.1 };
const issuedAt = 1_900_000_000_000;

describe('the due time of a refresh', () => {
  test('is the lead time before expiry, and the drain before that', () => {
    expect(dueTime(issuedAt, 3_600_000, 0, rules, 0)).toBe(issuedAt + 3_595_000);
    expect(dueTime(issuedAt, 3_600_000, 6_500, rules, 0)).toBe(issuedAt + 3_588_500);
  });

  test('is made earlier by the jitter, up to its share of the lifetime, and never later', () => {
    const latest = dueTime(issuedAt, 3_600_000, 0, rules, 0);
    expect(dueTime(issuedAt, 3_600_000, 0, rules, 0.5)).toBe(latest - 180_000);
    expect(dueTime(issuedAt, 3_600_000, 0, rules, 0.999999)).toBeGreaterThanOrEqual(latest - 360_000);
    expect(dueTime(issuedAt, 3_600_000, 0, { ...rules, jitter: 0 }, 0.9)).toBe(latest);
  });

  test('of a lifetime too short for the lead is half of it', () => {
    expect(dueTime(issuedAt, 4_000, 0, rules, 0)).toBe(issuedAt + 2_000);
    expect(dueTime(issuedAt, 20_000, 60_000, rules, 0)).toBe(issuedAt + 10_000);
  });

  test('lies between the issue and the expiry less the lead, in whole ms, whatever the figures', () => {
    for (let i = 0; i < 5_000; i++) {
      const validityMs = Math.floor(Math.random() ** 4 * 100_000_000);
      const drainMs = Math.floor(Math.random() ** 2 * 100_000);
      const given = { leadTimeMs: Math.floor(Math.random() * 600_000), jitter: Math.random() / 2 };
      const due = dueTime(issuedAt, validityMs, drainMs, given, Math.random());
      expect(Number.isInteger(due)).toBe(true);
      expect(due).toBeGreaterThanOrEqual(issuedAt);
      expect(due).toBeLessThanOrEqual(issuedAt + validityMs - Math.min(given.leadTimeMs + drainMs, validityMs / 2));
    }
  });

  test('spreads tokens that were issued at once over the whole jitter', () => {
    const dues = Array.from({ length: 1_000 }, (_, i) => dueTime(issuedAt, 3_600_000, 0, rules, i / 1_000));
    expect(new Set(dues).size).toBe(1_000);
    expect(Math.max(...dues) - Math.min(...dues)).toBeGreaterThan(350_000);
  });
});

test('a refresh that has to begin once more is due now, or stays due where it was due before', () => {
  expect([dueAgain(null, 1000.7), dueAgain(5000, 1000.7), dueAgain(400, 1000.7)]).toEqual([1000, 1000, 400]);
});
