import { afterEach, beforeEach, expect, it } from 'vitest';

import type { IssuedGrant } from '../../harness/provider/judgement.ts';
import { startProvider, type Provider } from '../../harness/provider/provider.ts';
import { refreshByHand } from '../../harness/provider/refresh-by-hand.ts';
import { named, scene } from './played-scene.ts';
import { providerFaults } from './providers.ts';

let provider: Provider;
let grant: IssuedGrant;

beforeEach(async () => {
  provider = await startProvider();
  grant = provider.createGrant();
});

afterEach(() => provider.stop());

function inflict(): Promise<boolean> {
  return named(providerFaults, '503 before anything was done').inflict(scene({ population: { owners: ['somebody'], providerOf: () => provider } }));
}

it('A provider that misbehaves has done so once a request has met it', async () => {
  const inflicted = inflict();
  expect((await refreshByHand(grant)).status).toBe(503);
  expect(await inflicted).toBe(true);
});

it('A provider that misbehaves for nobody has not done so, and does not later', async () => {
  expect(await inflict()).toBe(false);
  expect((await refreshByHand(grant)).status).toBe(200);
});
