import { randomBytes } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { OwnerTable } from '../../src/mysql/owners.ts';
import { useTokenDatabase, type Columns } from './token-database.ts';

const database = useTokenDatabase();
const owners = new OwnerTable({ retryMax: 9, retryDelayMs: 900 });

async function add(columns: Columns): Promise<{ did: number; id: string }> {
  const id = String(columns['ownerid'] ?? `gw-${randomBytes(4).toString('hex')}`);
  return { did: await database().addOwner({ ...columns, ownerid: id }), id };
}

describe('an owner', () => {
  test('is read with everything its row says', async () => {
    const { did, id } = await add({ tokenurl: ' https://p.example/token\n', defaultconnectionresettime: 4000, retrymax: 3, retrydelay: 250, refreshmode: 'drain', providerpolicy: 'grace', gracems: 60_000 });
    const owner = { did, id, tokenUrl: 'https://p.example/token', resetTimeMs: 4000, retryMax: 3, retryDelayMs: 250, refreshMode: 'drain', providerPolicy: 'grace', graceMs: 60_000 };
    expect(await owners.byDid(database().db, did)).toEqual(owner);
    expect(await owners.byId(database().db, id)).toEqual(owner);
    expect(await owners.all(database().db)).toContainEqual(owner);
  });

  test('that says nothing of retries, mode and policy gets the defaults, and the safest policy', async () => {
    const { did } = await add({ retrymax: null, retrydelay: null });
    expect(await owners.byDid(database().db, did)).toMatchObject({ retryMax: 9, retryDelayMs: 900, refreshMode: 'auto', providerPolicy: 'reuse_detect', graceMs: 0 });
  });

  test('with 0 retries has none: 0 is not nothing', async () => {
    const { did } = await add({ retrymax: 0, retrydelay: 0 });
    expect(await owners.byDid(database().db, did)).toMatchObject({ retryMax: 0, retryDelayMs: 0 });
  });

  test('with a reset time beyond 32 bits keeps it', async () => {
    const { did } = await add({ defaultconnectionresettime: 86_400_000_000 });
    expect((await owners.byDid(database().db, did))?.resetTimeMs).toBe(86_400_000_000);
  });

  test('is found by its id exactly, whatever characters it holds', async () => {
    for (const id of ["O'Brien/%2F?&", 'größe-東京-😀', 'UPPER', 'upper', 'a%', 'a_']) {
      const { did } = await add({ ownerid: id });
      expect((await owners.byId(database().db, id))?.did).toBe(did);
    }
    expect(await owners.byId(database().db, 'Upper')).toBeUndefined();
    expect(await owners.byId(database().db, '%')).toBeUndefined();
    expect(await owners.byId(database().db, "' OR 1 = 1 -- ")).toBeUndefined();
  });

  test('whose id stands in the table with blanks around it is found trimmed', async () => {
    const { did } = await add({ ownerid: '  padded  ' });
    expect(await owners.byId(database().db, 'padded')).toMatchObject({ did, id: 'padded' });
    const valid = await add({ ownerid: ' twice' });
    await add({ ownerid: 'twice', isvalid: 0 });
    expect((await owners.byId(database().db, 'twice'))?.did).toBe(valid.did);
  });

  test('that is not valid is nowhere, and does not count', async () => {
    const before = await owners.countValid(database().db);
    const { did, id } = await add({ isvalid: 0 });
    expect(await owners.byDid(database().db, did)).toBeUndefined();
    expect(await owners.byId(database().db, id)).toBeUndefined();
    expect((await owners.all(database().db)).map((owner) => owner.did)).not.toContain(did);
    expect(await owners.countValid(database().db)).toBe(before);
    await add({});
    expect(await owners.countValid(database().db)).toBe(before + 1);
  });
});
