import { inspect } from 'node:util';

import { describe, expect, test } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { TokenSealing, type StoredColumns } from '../../src/mysql/token-sealing.ts';
import { Unsealable } from '../../src/runtime/key-ring.ts';
import { clear, ringOf, useTokenDatabase } from './token-database.ts';

const database = useTokenDatabase();
const ring = ringOf('a');
const stored = (version: number): StoredColumns => ({
  tokenauth: ring.seal('auth', `tsttoken:${String(version)}:tokenauth`),
  accesstoken: ring.seal('at', `tsttoken:${String(version)}:accesstoken`),
  refreshtoken: ring.seal('rt', `tsttoken:${String(version)}:refreshtoken`),
});

describe('reading sealed columns', () => {
  test('gives secrets that do not show', () => {
    const read = new TokenSealing(ring).read(7, stored(7));
    expect([read.tokenauth, read.accesstoken, read.refreshtoken].map((secret) => secret?.reveal())).toEqual(['auth', 'at', 'rt']);
    expect(`${inspect(read)} ${JSON.stringify(read)}`).not.toMatch(/'auth'|'at'|'rt'/);
  });

  test('takes values in the clear and sealed ones side by side', () => {
    const read = new TokenSealing(ring).read(7, { ...stored(7), accesstoken: 'in the clear', refreshtoken: null });
    expect(read.accesstoken?.reveal()).toBe('in the clear');
    expect(read.tokenauth?.reveal()).toBe('auth');
    expect(read.refreshtoken).toBeNull();
  });

  test('refuses a value of another row, of another column, of an unknown key, and one that was changed', () => {
    const sealing = new TokenSealing(ring);
    expect(() => sealing.read(8, stored(7))).toThrow(Unsealable);
    expect(() => sealing.read(7, { ...stored(7), accesstoken: stored(7).refreshtoken })).toThrow(Unsealable);
    expect(() => new TokenSealing(ringOf('b')).read(7, stored(7))).toThrow(Unsealable);
    expect(() => new TokenSealing(clear).read(7, stored(7))).toThrow(Unsealable);
    const changed = `${String(stored(7).accesstoken).slice(0, -2)}AA`;
    expect(() => sealing.read(7, { ...stored(7), accesstoken: changed })).toThrow(Unsealable);
  });
});

test('two nodes that seal a row at the same time leave it readable', async () => {
  const version = await database().addToken(await database().addOwner());
  const nodes = [database().open(), database().open()];
  for (let round = 0; round < 5; round++) {
    const row = (await database().row(version)) as unknown as StoredColumns;
    const next = ringOf(`k${String(round + 1)}`, `k${String(round)}`);
    await Promise.all(nodes.map((db) => new TokenSealing(next).sealRow(db, version, row)));
    const read = new TokenSealing(next).read(version, (await database().row(version)) as unknown as StoredColumns);
    expect(read.accesstoken?.reveal()).toMatch(/^at-/);
    expect(read.refreshtoken?.reveal()).toMatch(/^rt-/);
  }
});

test('a missing client authentication is written as none, for its column takes no NULL', async () => {
  const version = await database().addToken(await database().addOwner());
  await database().db.execute(new TokenSealing(ring).writing(version, { tokenauth: null, accesstoken: new Secret('at'), refreshtoken: null }));
  expect(await database().row(version)).toMatchObject({ tokenauth: '', refreshtoken: null });
});
