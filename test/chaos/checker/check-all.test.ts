import { expect, it } from 'vitest';

import { refreshesIn } from './check-all.ts';
import { forgedLedger } from './forged-ledger.ts';

it.each([
  [{ from: 1000, until: 1040 }, 1],
  [{ from: 1040, until: 1050 }, 1],
  [{ from: 1000, until: 1039 }, 0],
  [{ from: 1041, until: 2000 }, 0],
])('a refresh is counted where what it brought was recorded while callers read: %j', (watched, times) => {
  const ledger = forgedLedger({ stations: ['idle', 'claimed a', 'sending a', 'gone a'], childStandsBack: true });
  expect(refreshesIn(ledger, watched)).toBe(times);
});
