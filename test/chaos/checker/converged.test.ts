import { expect, it } from 'vitest';

import { isOnItsWay } from './converged.ts';
import { forgedLedger } from './forged-ledger.ts';

/** The last station is at 1020. */
const ledgerOf = (last: string) => forgedLedger({ stations: ['idle', 'claimed a', last] });
const row = { version: 1, dueAt: null };

it.each<[string, string, number, boolean]>([
  ['has just been given back', 'idle', 8000, true],
  ['has not moved for long', 'idle', 9100, false],
  ['was claimed long ago', 'claimed', 9100, false],
  ['was sent by somebody who may have ended', 'sending', 9100, true],
  ['was sent when no answer can come any more', 'sending', 26_100, false],
  ['is in doubt, and has been for long', 'in_doubt', 9100, false],
  ['took its step later', 'idle', 1000, true],
])('a slot that %s', (_name, state, settledAt, isExpected) => {
  expect(isOnItsWay({ ...row, state }, ledgerOf(state), settledAt)).toBe(isExpected);
});

it('a slot that has just fallen due is on its way, one that was due long ago or is to be due later is not', () => {
  const settledAt = Date.now() - 1000;
  const isSo = (dueInMs: number): boolean => isOnItsWay({ ...row, state: 'idle', dueAt: settledAt + dueInMs }, ledgerOf('idle'), settledAt);
  expect([-9000, -7000, 500, 60_000].map(isSo)).toEqual([false, true, true, false]);
});
