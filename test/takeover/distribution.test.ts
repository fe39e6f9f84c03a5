import { describe, expect, test } from 'vitest';

import { isWithinAim, markdownOf, quantile, rowsOf, type Distribution } from './distribution.ts';

function distribution(aimMs: number, ...refreshed: readonly number[]): Distribution {
  return { end: 'kill', aimMs, takeovers: refreshed.map((refreshedMs) => ({ refreshedMs, ledMs: refreshedMs - 100 })) };
}

const ten = [3000, 2100, 2200, 2300, 2400, 2500, 2600, 2700, 2800, 9000];

describe('a quantile', () => {
  test.each([[0, 2100], [0.5, 2500], [0.9, 3000], [1, 9000]])('of the share %d is the value that so many do not exceed', (share, value) => {
    expect(quantile(ten, share)).toBe(value);
  });

  test('of nothing is none', () => {
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe('the aim', () => {
  test('is met by nine in ten', () => {
    expect(isWithinAim(distribution(3000, ...ten))).toBe(true);
    expect(isWithinAim(distribution(2999, ...ten))).toBe(false);
  });

  test('is not met by nothing', () => {
    expect(isWithinAim(distribution(3000))).toBe(false);
  });
});

test('the report has the distribution, with the new master beside the refresh', () => {
  expect(rowsOf(distribution(3500, ...ten))).toEqual([
    { label: 'least', value: '2.10 s', note: '2.00 s to the new master' },
    { label: 'half within', value: '2.50 s', note: '2.40 s to the new master' },
    { label: 'nine in ten within', value: '3.00 s', note: '2.90 s to the new master' },
    { label: 'longest', value: '9.00 s', note: '8.90 s to the new master' },
    { label: 'within the aim of 3.50 s', value: '9 of 10', note: 'the lease and half a second' },
  ]);
});

test('the table for a document has a line for each kind of end, as many cells in each', () => {
  const lines = markdownOf([distribution(3500, ...ten), { ...distribution(200, 50), end: 'stop' }]).split('\n');
  expect(lines[2]).toBe('| killed (SIGKILL) | 10 | 2.10 s | 2.50 s | 3.00 s | 9.00 s | 9 within 3.50 s |');
  expect(new Set(lines.map((line) => line.split('|').length)).size).toBe(1);
});
