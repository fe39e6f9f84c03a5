import { beforeEach, describe, expect, test } from 'vitest';

import { StoreUnavailable } from '../../src/domain/errors.ts';
import { lockEpoch, TermTable } from '../../src/mysql/terms.ts';
import { heldBeforeCommit, useTokenDatabase } from './token-database.ts';

const database = useTokenDatabase();

function terms(node: string): TermTable {
  return new TermTable(database().db, node);
}

async function row(): Promise<{ epoch: number; holder: string; leaseuntil: number | null; since: Date }> {
  const [found] = await database().select('SELECT epoch, holder, leaseuntil, since FROM tstepoch WHERE id = 1');
  return found as never;
}

/** Lets the lease in the database run out. */
async function expire(): Promise<void> {
  await database().rows.query('UPDATE tstepoch SET leaseuntil = 1 WHERE leaseuntil IS NOT NULL');
}

beforeEach(async () => {
  await database().rows.query('UPDATE tstepoch SET leaseuntil = NULL, holder = NULL');
});

describe('a term', () => {
  test('begins with a higher epoch each time, names its node, and leases for as long as it was told', async () => {
    const first = await terms('a').begin(10_000);
    const second = await terms('b').begin(10_000);
    const third = await terms('a').begin(10_000);
    expect([second, third]).toEqual([first + 1, first + 2]);
    const { holder, epoch, leaseuntil, since } = await row();
    expect({ holder, epoch }).toEqual({ holder: 'a', epoch: third });
    expect(Math.abs(Number(leaseuntil) - Date.now() - 10_000)).toBeLessThan(3_000);
    expect(Math.abs(since.getTime() - Date.now())).toBeLessThan(3_000);
  });

  test('begun by many nodes at once gives each another epoch', async () => {
    const before = (await row()).epoch;
    const nodes = Array.from({ length: 6 }, (_, i) => new TermTable(database().open({ connectionLimit: 3 }), `node-${String(i)}`));
    const epochs = await Promise.all(nodes.flatMap((node) => [node.begin(5_000), node.begin(5_000), node.begin(5_000)]));
    expect(new Set(epochs).size).toBe(18);
    expect(Math.max(...epochs)).toBe(before + 18);
    expect((await row()).epoch).toBe(before + 18);
  });

  test('whose beginning is rolled back, or is not committed yet, is not seen by anybody', async () => {
    const before = (await row()).epoch;
    const failing = heldBeforeCommit(database().db, () => { throw new Error('the node stops here'); });
    await expect(new TermTable(failing, 'a').begin(1_000)).rejects.toThrow('the node stops here');
    expect((await row()).epoch).toBe(before);
    expect(await database().db.transaction(lockEpoch)).toBe(before);
  });

  test('is renewed and ended only under its own epoch', async () => {
    const old = await terms('a').begin(1_000);
    expect(await terms('a').renew(old, 20_000)).toBe(true);
    const current = await terms('b').begin(5_000);
    const { leaseuntil } = await row();
    expect(await terms('a').renew(old, 60_000)).toBe(false);
    await terms('a').end(old);
    expect((await row()).leaseuntil).toBe(leaseuntil);
    await terms('b').end(current);
    expect((await row()).leaseuntil).toBeNull();
    expect((await row()).epoch).toBe(current);
  });

  test('cannot be renewed into being while its epoch is raised at the same moment: one of the two is told', async () => {
    for (let round = 0; round < 5; round++) {
      const old = await terms('a').begin(1_000);
      const [renewed, next] = await Promise.all([terms('a').renew(old, 60_000), terms('b').begin(5_000)]);
      expect(next).toBe(old + 1);
      expect(typeof renewed).toBe('boolean');
      expect(await terms('a').renew(old, 60_000)).toBe(false);
    }
  });
});

describe('without Redis a term', () => {
  test('does not begin while the lease of another runs, and does when it ran out', async () => {
    const held = await terms('a').begin(60_000);
    expect(await terms('b').beginWithoutRedis(5_000)).toBeUndefined();
    expect(await terms('a').beginWithoutRedis(5_000)).toBeUndefined();
    await expire();
    expect(await terms('b').beginWithoutRedis(5_000)).toBe(held + 1);
    expect((await row()).holder).toBe('b');
    expect(await terms('c').beginWithoutRedis(5_000)).toBeUndefined();
  });

  test('begins where no lease ever ran, or the last master ended its own', async () => {
    const epoch = await terms('a').beginWithoutRedis(60_000);
    expect(epoch).toBeDefined();
    await terms('a').end(epoch ?? 0);
    expect(await terms('b').beginWithoutRedis(60_000)).toBe((epoch ?? 0) + 1);
  });

  test('does not begin while the master renews in time, by the clock of the database', async () => {
    const epoch = await terms('a').begin(60_000);
    await expire();
    expect(await terms('a').renew(epoch, 60_000)).toBe(true);
    expect(await terms('b').beginWithoutRedis(5_000)).toBeUndefined();
  });

  test('is begun by one of many that try at once', async () => {
    const nodes = Array.from({ length: 5 }, (_, i) => new TermTable(database().open({ connectionLimit: 2 }), `node-${String(i)}`));
    const epochs = await Promise.all(nodes.map((node) => node.beginWithoutRedis(60_000)));
    expect(epochs.filter((epoch) => epoch !== undefined)).toHaveLength(1);
  });
});

test('a database that cannot be reached is StoreUnavailable', async () => {
  const away = new TermTable(database().open({ host: '127.0.0.1', port: 1, queryTimeoutMs: 300 }), 'a');
  await expect(away.begin(1_000)).rejects.toThrow(StoreUnavailable);
  await expect(away.renew(1, 1_000)).rejects.toThrow(StoreUnavailable);
});

test('no term begins and no epoch is given where the row of the epoch is missing: terms could not fence one another', async () => {
  await database().rows.query('DELETE FROM tstepoch');
  await expect(terms('a').begin(1_000)).rejects.toThrow('tstepoch');
  expect(await terms('a').beginWithoutRedis(1_000)).toBeUndefined();
  await expect(database().db.transaction(lockEpoch)).rejects.toThrow('tstepoch');
});
