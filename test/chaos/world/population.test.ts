import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import type { OwnedGrant, OwnerRow, SystemOfRecord } from '../../harness/system-of-record.ts';
import { Population } from './population.ts';

let population: Population;
let auth: string;
let lost: { did: number; auth: string; attempt: string | null }[];
let inserted: OwnedGrant[];

const record = {
  addOwner: async ({ grants }: OwnerRow) => {
    auth = grants[0]!.tokenAuth;
    return 1;
  },
  addToken: async (_did: number, grant: OwnedGrant) => { inserted.push(grant); },
  query: async () => lost,
} as unknown as SystemOfRecord;

beforeAll(async () => {
  population = await Population.create(record, 48);
  await population.settle(1, 0, 'single');
});
afterAll(() => population.remove());
beforeEach(() => { inserted = []; });

async function consented(attempt: string | null, kept: readonly string[]): Promise<number> {
  lost = [{ did: 1, auth, attempt }];
  return population.consentAgain(async () => new Set(kept));
}

it('a grant that is lost gets a new one in its place', async () => {
  expect(await consented('a', [])).toBe(1);
  expect(inserted).toMatchObject([{ tokenAuth: auth }]);
});

it('one that is dead or stopped too, whatever was kept', async () => {
  expect(await consented(null, ['a'])).toBe(1);
});

it('but not where the answer is kept and has only to be recorded', async () => {
  expect(await consented('a', ['a'])).toBe(0);
  expect(inserted).toEqual([]);
  expect(await consented('a', ['b'])).toBe(1);
});

it('nor where nobody can say whether it is', async () => {
  lost = [{ did: 1, auth, attempt: 'a' }];
  await expect(population.consentAgain(() => Promise.reject(new Error('Redis is away')))).rejects.toThrow();
  expect(inserted).toEqual([]);
});
