import { describe, expect, test } from 'vitest';

import type { Owner } from '../../src/domain/owner.ts';
import { drainFor, drainMs } from '../../src/pool/drain.ts';

const owner = { refreshMode: 'auto', resetTimeMs: 400 } as Owner;
const full = drainMs(owner);

describe('A token that is refreshed', () => {
  test('is drained in full while another of its owner lives long enough', () => {
    expect(drainFor(owner, 60_000, 60_000)).toBe(full);
    expect(drainFor(owner, 60_000, full + 1000)).toBe(full);
  });

  test('is drained for less where the other does not live that long, so that lateness alone does not end a token in use', () => {
    expect(drainFor(owner, 4400, 3000)).toBe(2000);
  });

  test('is drained to its own end at most', () => {
    expect(drainFor(owner, 700, 60_000)).toBe(700);
    expect(drainFor(owner, -50, 60_000)).toBe(0);
  });

  test('stays with callers where the other would not outlive its drain and its refresh, or there is no other', () => {
    expect(drainFor(owner, 60_000, 1800)).toBeUndefined();
    expect(drainFor(owner, 60_000, -Infinity)).toBeUndefined();
    expect(drainFor(owner, -50, -Infinity)).toBeUndefined();
  });

  test('stays with callers where the owner wants it so', () => {
    expect(drainFor({ ...owner, refreshMode: 'overlap' }, 60_000, 60_000)).toBeUndefined();
  });
});
