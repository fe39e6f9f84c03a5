import { afterAll, beforeAll, expect, it } from 'vitest';

import type { IssuedGrant } from '../../harness/provider/judgement.ts';
import { startProvider } from '../../harness/provider/provider.ts';
import type { Provider } from '../../harness/provider/provider.ts';
import type { Evidence, ReadAnswer } from '../evidence.ts';
import { forgedLedger, forgedOwner, type Forged } from './forged-ledger.ts';
import { excusedReads, readsAnswered } from './reads-answered.ts';

let provider: Provider;
let grant: IssuedGrant;
beforeAll(async () => {
  provider = await startProvider();
  grant = provider.createGrant({ owner: forgedOwner });
});
afterAll(() => provider.stop());

const failed: ReadAnswer = { owner: forgedOwner, sentAt: 1035, endedAt: 1100, servedBy: undefined, status: 400, why: 'TPS0005', grantId: undefined, sequence: undefined };

/** What is said of a read that was sent when the row had gone through four stations. */
async function complaint(forged: Forged, over: { nobodyUp?: Evidence['nobodyUp']; read?: Partial<ReadAnswer> } = {}): Promise<string | undefined> {
  const evidence = { answers: [{ ...failed, ...over.read }], nobodyUp: over.nobodyUp ?? [], grants: [{ provider, grantId: grant.grantId, owner: forgedOwner }] } as unknown as Evidence;
  const ledger = forgedLedger({ ...forged, row: { accessToken: grant.accessToken, grantId: grant.grantId, ...forged.row } });
  const { violations } = await readsAnswered(evidence, ledger);
  expect(excusedReads(evidence, ledger).lostGrants + excusedReads(evidence, ledger).nobodyUp + violations.length).toBe(1);
  return violations[0];
}

const ended = { expiresAt: 1000 };
const lost = ['idle', 'claimed a', 'sending a', 'in_doubt a'];

it.each<[string, Forged]>([
  ['whose refresh is in doubt', { stations: lost, row: ended }],
  ['whose refresh came to be in doubt later, having been out', { stations: ['idle', 'idle', 'claimed a', 'sending a', 'in_doubt a'], row: ended }],
  ['that is dead', { stations: [...lost, 'dead'], row: ended }],
  ['that a new grant replaced later', { stations: [...lost, 'gone a'], row: ended, isSuperseded: true }],
])('a read may fail when its owner has only a token that has ended and %s', async (_name, forged) => {
  expect(await complaint(forged)).toBeUndefined();
});

it.each<[string, Forged, string]>([
  ['a token that lives, whatever becomes of its refresh', { stations: lost }, 'token 1 lived until'],
  ['a token whose refresh was never begun', { stations: ['idle'], row: ended }, 'its refresh was not lost'],
  ['a token whose refresh was out, and recorded', { stations: ['idle', 'idle', 'claimed a', 'sending a', 'gone a'], row: ended, isReplaced: true }, 'its refresh was not lost'],
  ['a token whose refresh was claimed, and not sent', { stations: ['idle', 'idle', 'idle', 'claimed a', 'idle'], row: ended }, 'its refresh was not lost'],
  ['no valid row at all', { stations: ['idle', 'gone'], row: ended }, 'a slot had no valid row'],
])('a read may not fail when its owner has %s', async (_name, forged, fault) => {
  expect(await complaint(forged)).toContain(fault);
});

it('a token in its very last moment need not be handed out', async () => {
  expect(await complaint({ stations: lost, row: { expiresAt: 1035 + 60 } })).toBeUndefined();
  expect(await complaint({ stations: lost, row: { expiresAt: 1035 + 61 } })).toContain('lived until');
});

it('a read that overlaps a time when nobody was up may fail', async () => {
  expect(await complaint({ stations: ['idle'] }, { nobodyUp: [{ from: 1100, until: 1200 }] })).toBeUndefined();
  expect(await complaint({ stations: ['idle'] }, { nobodyUp: [{ from: 900, until: 1035 }] })).toBeUndefined();
  expect(await complaint({ stations: ['idle'] }, { nobodyUp: [{ from: 1101, until: 1200 }, { from: 900, until: 1034 }] })).toContain('lived until');
});

it('an owner that the record does not know has no excuse', async () => {
  expect(await complaint({ stations: ['idle'] }, { read: { owner: 'nobody' } })).toContain('unknown owner');
});
