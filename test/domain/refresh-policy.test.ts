import { describe, expect, test } from 'vitest';

import { withdrawsDuringRefresh, type Owner } from '../../src/domain/owner.ts';
import type { KnownFailure } from '../../src/domain/refresh-outcome.ts';
import { afterFailure, settlement } from '../../src/domain/refresh-policy.ts';

const owner: Owner = { did: 1, id: 'o', tokenUrl: 'https://p.example', resetTimeMs: 4_000, retryMax: 3, retryDelayMs: 1_000, refreshMode: 'auto', providerPolicy: 'reuse_detect', graceMs: 0 };
const now = 1_900_000_000_000;

const unreachable: KnownFailure = { kind: 'unreachable', detail: '' };
const invalidGrant: KnownFailure = { kind: 'invalid_grant', status: 400, detail: '' };
const invalidClient: KnownFailure = { kind: 'invalid_client', status: 401, detail: '' };
const refused: KnownFailure = { kind: 'refused', status: 400, detail: '' };
const unavailable = (retryAfterMs: number | null): KnownFailure => ({ kind: 'unavailable', status: 503, retryAfterMs, detail: '' });

describe('after a failed refresh', () => {
  test.each([['unreachable', unreachable], ['invalid_client', invalidClient], ['refused', refused], ['unavailable', unavailable(null)]] as const)('%s is retried after the delay of the owner, as often as it allows, then stops', (_kind, failure) => {
    for (const failures of [1, 2, 3]) expect(afterFailure(failure, owner, { failures, refusals: 0 }, now)).toEqual({ step: 'retry', atMs: now + 1_000, attempt: failures });
    expect(afterFailure(failure, owner, { failures: 4, refusals: 0 }, now)).toEqual({ step: 'stop' });
  });

  test('an owner without retries stops at the first failure', () => {
    expect(afterFailure(unreachable, { ...owner, retryMax: 0 }, { failures: 1, refusals: 0 }, now)).toEqual({ step: 'stop' });
  });

  test('a provider that says when to come back is left alone until then, and never asked sooner than the owner wants', () => {
    expect(afterFailure(unavailable(30_000), owner, { failures: 1, refusals: 0 }, now)).toMatchObject({ atMs: now + 30_000 });
    expect(afterFailure(unavailable(10), owner, { failures: 1, refusals: 0 }, now)).toMatchObject({ atMs: now + 1_000 });
  });

  test('invalid_grant is heard twice before the grant is declared dead', () => {
    expect(afterFailure(invalidGrant, owner, { failures: 1, refusals: 1 }, now)).toMatchObject({ step: 'retry' });
    expect(afterFailure(invalidGrant, owner, { failures: 2, refusals: 2 }, now)).toEqual({ step: 'bury' });
    expect(afterFailure(invalidGrant, owner, { failures: 3, refusals: 1 }, now), 'after failures of other kinds').toMatchObject({ step: 'retry' });
  });
});

describe('a token in doubt', () => {
  test('is never asked for again where the provider detects reuse', () => {
    for (const age of [0, 1, 1e12]) expect(settlement('reuse_detect', 1e9, age)).toBe('never_ask');
  });

  test('is asked for again inside the window of grace, and not from its end on', () => {
    expect(settlement('grace', 60_000, 59_999)).toBe('ask_again');
    expect(settlement('grace', 60_000, 60_000)).toBe('never_ask');
    expect(settlement('grace', 0, 0)).toBe('never_ask');
  });

  test('is asked for again at any time where the provider does not rotate', () => {
    expect(settlement('non_rotating', 0, 1e12)).toBe('ask_again');
  });
});

describe('during its refresh a token', () => {
  test.each([
    ['auto', true, true],
    ['auto', false, false],
    ['overlap', true, false],
    ['overlap', false, false],
    ['drain', true, true],
    ['drain', false, false],
  ] as const)('in mode %s with another to hand out (%s) is withdrawn: %s', (refreshMode, others, withdrawn) => {
    expect(withdrawsDuringRefresh({ ...owner, refreshMode }, others)).toBe(withdrawn);
  });
});
