import { expect, it } from 'vitest';

import { doubtsOf, type Settlement } from './doubts.ts';
import { forgedLedger, type Forged } from './forged-ledger.ts';

const lost = ['idle', 'claimed a', 'sending a', 'in_doubt a'];

it.each<[Settlement, Forged]>([
  ['its answer was recorded after all', { stations: [...lost, 'gone a'], isReplaced: true }],
  ['asked again inside the window of grace', { policy: 'grace', stations: [...lost, 'in_doubt b', 'sending b', 'gone b'], isReplaced: true }],
  ['asked again where refresh tokens do not rotate', { policy: 'non_rotating', stations: ['idle', 'claimed a', 'sending a', 'in_doubt b', 'sending b', 'gone b'], isReplaced: true }],
  ['not used after all', { stations: [...lost, 'idle'] }],
  ['the provider declared the grant dead', { policy: 'grace', stations: [...lost, 'in_doubt b', 'sending b', 'dead'] }],
  ['its retries were used up', { stations: [...lost, 'stopped'] }],
  ['an operator inserted a new grant', { stations: [...lost, 'gone a'], isSuperseded: true }],
  ['open, and its access token is still served', { stations: lost, row: { expiresAt: 5001 } }],
  ['open, and its access token has ended', { stations: lost, row: { expiresAt: 5000 } }],
])('%s', (settlement, forged) => {
  expect(doubtsOf(forgedLedger(forged), 5000)).toEqual([{ version: 1, since: expect.any(Number) as number, settlement }]);
});

it('a token that is asked for again and again is in one doubt', () => {
  const stations = [...lost, 'in_doubt b', 'sending b', 'in_doubt b', 'in_doubt c', 'sending c', 'gone c'];
  expect(doubtsOf(forgedLedger({ policy: 'grace', stations, isReplaced: true }), 5000)).toMatchObject([{ since: 1030, settlement: 'asked again inside the window of grace' }]);
});

it('a token that comes to be in doubt once more has two', () => {
  const stations = [...lost, 'idle', 'claimed b', 'sending b', 'in_doubt b', 'gone b'];
  expect(doubtsOf(forgedLedger({ stations, isReplaced: true }), 5000).map(({ settlement }) => settlement)).toEqual(['not used after all', 'its answer was recorded after all']);
});

it('a token that was never in doubt has none', () => {
  expect(doubtsOf(forgedLedger({ stations: ['idle', 'claimed a', 'sending a', 'gone a'], isReplaced: true }), 5000)).toEqual([]);
});
