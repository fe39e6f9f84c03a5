import { randomBytes } from 'node:crypto';

import { beforeEach, describe, expect, test } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { clusterKey } from '../../src/mysql/cluster-key.ts';
import { Unsealable } from '../../src/runtime/key-ring.ts';
import { runScript } from '../harness/baseline.ts';
import { clear, ringOf, useTokenDatabase } from './token-database.ts';

const database = useTokenDatabase();

async function stored(): Promise<string> {
  const rows = await database().select("SELECT value FROM tstkey WHERE name = 'cluster'");
  expect(rows).toHaveLength(1);
  return String(rows[0]?.['value']);
}

beforeEach(async () => { await database().rows.query('DELETE FROM tstkey'); });

describe('the key of the cluster', () => {
  test('is made once, of 32 bytes, whichever of many nodes comes first', async () => {
    const keys = await Promise.all(Array.from({ length: 6 }, () => clusterKey(database().open({ connectionLimit: 2 }), clear)));
    expect(new Set(keys.map((key) => key.reveal())).size).toBe(1);
    expect(Buffer.from(keys[0]?.reveal() ?? '', 'base64')).toHaveLength(32);
    expect(await stored()).toBe(keys[0]?.reveal());
  });

  test('stands sealed in the table where there is a key ring, and stays the same through changes of the ring', async () => {
    const key = await clusterKey(database().db, ringOf('a'));
    expect(await stored()).toMatch(/^sealed:v1:a:/);
    expect((await clusterKey(database().db, ringOf('b', 'a'))).reveal()).toBe(key.reveal());
    expect(await stored()).toMatch(/^sealed:v1:b:/);
    expect((await clusterKey(database().db, ringOf('b'))).reveal()).toBe(key.reveal());
  });

  test('made in the clear is sealed when a ring is configured later', async () => {
    const key = await clusterKey(database().db, clear);
    expect((await clusterKey(database().db, ringOf('a'))).reveal()).toBe(key.reveal());
    expect(await stored()).toMatch(/^sealed:v1:a:/);
  });

  test('that cannot be read is an error, and never replaced by another', async () => {
    await clusterKey(database().db, ringOf('a'));
    const before = await stored();
    await expect(clusterKey(database().db, ringOf('b'))).rejects.toThrow(Unsealable);
    await expect(clusterKey(database().db, clear)).rejects.toThrow(Unsealable);
    expect(await stored()).toBe(before);
  });

  test.each(['', 'too short'])('that is not one (%j) is an error', async (value) => {
    await database().rows.query("INSERT INTO tstkey (name, value) VALUES ('cluster', ?)", [value]);
    await expect(clusterKey(database().db, clear)).rejects.toThrow('tstkey');
  });

  test('can be read by a user that may only read, once it is there', async () => {
    const user = `reader_${randomBytes(4).toString('hex')}`;
    await runScript(database().schema, `CREATE USER '${user}'@'%' IDENTIFIED BY ''; GRANT SELECT ON ${database().schema.schema}.* TO '${user}'@'%'`);
    const reader = database().open({ user, password: new Secret('') });
    await expect(clusterKey(reader, clear)).rejects.toThrow('key.create');
    const key = await clusterKey(database().db, clear);
    expect((await clusterKey(reader, clear)).reveal()).toBe(key.reveal());
    expect((await clusterKey(reader, ringOf('a'))).reveal()).toBe(key.reveal());
    await runScript(database().schema, `DROP USER '${user}'@'%'`);
  });
});
