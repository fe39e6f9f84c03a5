import { describe, expect, it } from 'vitest';

import type { Presentation } from '../../harness/provider/account.ts';
import type { Evidence, Finding } from '../evidence.ts';
import { endsDeserved } from './ends-deserved.ts';
import { forgedLedger, forgedOwner, type Forged } from './forged-ledger.ts';

type Seen = Pick<Presentation, 'at' | 'outcome' | 'behaviour'>;

/** A row that can make a request. */
const usable = { auth: Buffer.from('client:secret').toString('base64'), refreshToken: 'rt_1_1_x' };

async function findingOf(forged: Forged, seen: readonly Seen[] = []): Promise<Finding> {
  const provider = { account: { presentations: seen.map((each) => ({ refreshToken: 'grant-1#1', grantId: 'grant-1', answeredAt: each.at, ...each })) } };
  const evidence = { providers: [provider], grants: [{ provider, grantId: 'grant-1', owner: forgedOwner }] } as unknown as Evidence;
  return endsDeserved(evidence, forgedLedger({ ...forged, row: { ...usable, ...forged.row } }));
}

/** Sent at 1020, and again at 1050. */
const twice = ['idle', 'claimed a', 'sending a', 'idle', 'claimed b', 'sending b'];
const once = twice.slice(0, 3);
const revoked = (at: number): Seen => ({ at, outcome: 'revoked grant' });
const heldOff = (at: number): Seen => ({ at, outcome: 'held off', behaviour: 'status' });
const clientRefused: Seen = { at: 900, outcome: 'client refused' };

describe('a token may be declared', () => {
  it.each<[string, Forged, Seen[]]>([
    ['dead when its grant was refused twice', { stations: [...twice, 'dead'] }, [revoked(1025), revoked(1055)]],
    ['dead when its grant was refused after another failure', { stations: [...twice, 'dead'] }, [heldOff(1025), revoked(1055)]],
    ['dead when its provider does not know the token', { stations: [...twice, 'dead'] }, [{ ...revoked(1055), outcome: 'unknown token' }]],
    ['dead when the word of that came after it was in doubt', { stations: [...twice, 'in_doubt b', 'dead'], failures: 2 }, [revoked(1055)]],
    ['dead when another row has used its refresh token', { stations: ['idle', 'dead'], isCopied: true }, []],
    ['dead once more after a restart', { stations: [...twice, 'dead', 'idle', 'dead'] }, [revoked(1055)]],
    ['stopped when its retries were used up', { stations: [...twice, 'stopped'], retryMax: 1 }, [heldOff(1025)]],
    ['stopped when its client was refused, however often for others', { stations: [...once, 'stopped'] }, [clientRefused]],
    ['stopped where nobody knows how often it may be tried', { stations: [...once, 'stopped'], retryMax: null }, []],
    ['stopped unsent when its client was refused', { stations: ['idle', 'stopped'] }, [clientRefused]],
    ['stopped unsent when it has no refresh token', { stations: ['idle', 'stopped'], row: { refreshToken: '' } }, []],
    ['dead when nobody knows its provider', { stations: [...twice, 'dead'], row: { grantId: 'grant-9' } }, []],
  ])('%s', async (_name, forged, seen) => {
    const ends = forged.stations.filter((station) => station === 'dead' || station === 'stopped').length;
    expect(await findingOf(forged, seen)).toMatchObject({ cases: ends + seen.length, violations: [] });
  });
});

describe('a token may not be declared', () => {
  it.each<[string, Forged, Seen[], string]>([
    ['dead at the first refusal', { stations: [...once, 'dead'] }, [revoked(1025)], 'it had failed 1 of 2 times'],
    ['dead at the first refusal after a doubt', { stations: [...twice.slice(0, 3), 'in_doubt a', 'in_doubt b', 'sending b', 'dead'], policy: 'grace', failures: 1 }, [revoked(1055)], 'it had failed 1 of 2 times'],
    ['dead when it counts failures of requests that never were', { stations: [...once, 'dead'], failures: 2 }, [revoked(1025)], 'it had failed 1 of 2 times'],
    ['dead when it was refused as on concurrent use', { stations: [...twice, 'dead'] }, [1025, 1055].map((at) => ({ at, outcome: 'held off', behaviour: 'invalid-grant' })), 'its provider had not refused it for good (held off, invalid-grant)'],
    ['dead when the last request was not refused', { stations: [...twice, 'dead'] }, [revoked(1025), heldOff(1055)], 'had not refused it for good (held off, status)'],
    ['dead when nothing had come to its provider', { stations: [...twice, 'dead'] }, [], 'nothing had come to it'],
    ['dead when only what its own refreshes came from had used its refresh token', { stations: ['idle', 'dead'], isCopied: true, row: { parent: 6 } }, [], 'no other row had used its refresh token'],
    ['dead unsent', { stations: ['idle', 'dead'] }, [revoked(900)], 'no other row had used its refresh token'],
    ['stopped while it may be tried again', { stations: [...twice, 'stopped'], retryMax: 2 }, [heldOff(1055)], 'it had failed 2 of 3 times'],
    ['stopped by what it failed before a restart', { stations: [...twice, 'stopped', 'idle', 'claimed c', 'sending c', 'stopped'], retryMax: 1, failures: 3 }, [], 'it had failed 1 of 2 times'],
    ['stopped when its request was carried out', { stations: [...twice, 'stopped'], retryMax: 1 }, [{ at: 1055, outcome: 'refreshed', behaviour: 'lose-answer' }], 'its provider had carried out the request (refreshed, lose-answer)'],
    ['stopped unsent', { stations: ['idle', 'stopped'] }, [], 'a request could have been made for it'],
  ])('%s', async (_name, forged, seen, fault) => {
    expect((await findingOf(forged, seen)).violations).toEqual([expect.stringContaining(fault)]);
  });
});

it('a refusal is a case, and one that nobody heard is none', async () => {
  expect((await findingOf({ stations: ['idle'] }, [revoked(1000), heldOff(1000), { at: 1000, outcome: 'refreshed' }])).cases).toBe(2);
  expect((await findingOf({ stations: ['idle'] }, [{ at: 1000, outcome: 'held off', answeredAt: undefined } as Seen])).cases).toBe(0);
});
