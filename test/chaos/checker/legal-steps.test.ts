import { describe, expect, it } from 'vitest';

import type { Evidence, Finding } from '../evidence.ts';
import { forgedLedger, type Forged } from './forged-ledger.ts';
import { legalSteps } from './legal-steps.ts';

async function findingOf(forged: Forged): Promise<Finding> {
  return legalSteps({} as Evidence, forgedLedger(forged));
}

describe('a row may', () => {
  it.each<[string, Forged]>([
    ['be refreshed', { stations: ['idle', 'claimed a', 'sending a', 'gone a'], isReplaced: true }],
    ['be given back, and claimed again', { stations: ['idle', 'claimed a', 'idle', 'claimed b', 'sending b', 'idle'] }],
    ['come to be in doubt, and be recorded after all', { stations: ['idle', 'claimed a', 'sending a', 'in_doubt a', 'gone a'], isReplaced: true }],
    ['be asked for again inside the window of grace', { policy: 'grace', graceMs: 20, stations: ['idle', 'claimed a', 'sending a', 'in_doubt a', 'in_doubt b', 'sending b', 'in_doubt b', 'gone b'], isReplaced: true }],
    ['be asked for again at any time where nothing rotates', { policy: 'non_rotating', stations: ['idle', 'claimed a', 'sending a', 'in_doubt b', 'sending b', 'gone b'], isReplaced: true }],
    ['stop, and be restarted', { stations: ['idle', 'claimed a', 'sending a', 'stopped', 'idle', 'dead', 'idle'] }],
    ['give way to a new grant', { stations: ['idle', 'claimed a', 'gone a'], isSuperseded: true }],
    ['give way to a new grant that was inserted when it had been sent', { stations: ['idle', 'claimed a', 'sending a', 'gone a'], isSuperseded: true, childStandsBack: true }],
  ])('%s', async (_name, forged) => {
    expect(await findingOf(forged)).toMatchObject({ cases: forged.stations.length + (forged.childStandsBack ? 1 : 0), violations: [] });
  });
});

describe('a row may not', () => {
  it.each<[string, Forged, string]>([
    ['be sent without a claim', { stations: ['idle', 'sending a'] }, 'idle -> sending, taken'],
    ['be taken over when it was claimed', { stations: ['idle', 'claimed a', 'claimed b'] }, 'claimed -> claimed, taken'],
    ['be taken over when it was sent', { stations: ['idle', 'claimed a', 'sending a', 'sending b'] }, 'sending -> sending, taken'],
    ['be asked for again where the provider minds', { stations: ['idle', 'claimed a', 'sending a', 'in_doubt b'] }, 'asked for again 10 ms after it had been sent, at a provider of policy reuse_detect'],
    ['be asked for again when the window has closed', { policy: 'grace', graceMs: -1000, stations: ['idle', 'claimed a', 'sending a', 'in_doubt b'] }, 'policy grace'],
    ['go back to idle by another attempt', { stations: ['idle', 'claimed a', 'idle a'] }, 'claimed -> idle, kept'],
    ['be replaced unless it was sent', { stations: ['idle', 'claimed a', 'gone a'], isReplaced: true }, 'replaced by its child when it was claimed'],
    ['give way while its answer is awaited', { stations: ['idle', 'claimed a', 'sending a', 'gone a'], isSuperseded: true }, 'while its answer was awaited'],
    ['give way to what an older one brought', { stations: ['idle', 'gone'], isOvertaken: true }, 'nothing took its place'],
    ['bring something that is never valid, unless it gave way', { stations: ['idle', 'claimed a', 'sending a', 'gone a'], childStandsBack: true }, 'it was inserted invalid'],
    ['give way to nothing', { stations: ['idle', 'gone'] }, 'nothing took its place'],
    ['come back', { stations: ['idle', 'gone', 'idle'], isSuperseded: true }, 'though it had been replaced'],
    ['begin otherwise than idle', { stations: ['sending a'] }, 'it was inserted sending'],
  ])('%s', async (_name, forged, fault) => {
    expect((await findingOf(forged)).violations).toEqual([expect.stringContaining(fault)]);
  });

  it('have its window of grace counted from a later sending than the first', async () => {
    const stations = ['idle', 'claimed a', 'sending a', ...Array.from({ length: 120 }, (_, index) => [`in_doubt ${index}`, `sending ${index}`]).flat()];
    expect((await findingOf({ policy: 'grace', graceMs: 0, stations })).violations.length).toBeGreaterThan(0);
  });
});
