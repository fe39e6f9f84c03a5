import { describe, expect, test } from 'vitest';

import { StatementFailed } from '../../src/mysql/failure.ts';
import { useTokenDatabase } from './token-database.ts';

const database = useTokenDatabase();
const read = { label: 'test.read', sql: 'SELECT 1 AS one' };

const rename = (ownerDid: number, id: string): { label: string; sql: string; params: (string | number)[] } => ({ label: 'test.rename', sql: 'UPDATE tsxwho SET ownerid = ? WHERE tsxwhodid = ?', params: [id, ownerDid] });

async function idOf(ownerDid: number): Promise<string> {
  const [row] = await database().select('SELECT ownerid FROM tsxwho WHERE tsxwhodid = ?', ownerDid);
  return String(row?.['ownerid']);
}

describe('a transaction whose statement is refused', () => {
  test.each([['at its beginning', false], ['later', true]] as const)('%s leaves no lock behind on its connection, and nothing for the next one to commit', async (_when, later) => {
    const db = database().open({ connectionLimit: 1 });
    const [first, second] = [await database().addOwner({ ownerid: `first ${_when}` }), await database().addOwner({ ownerid: `second ${_when}` })];
    const refused = db.transaction(async (tx) => {
      if (later) await tx.query(read);
      await tx.all([rename(first, `renamed ${_when}`), rename(second, `renamed ${_when}`)]);
    });
    await expect(refused).rejects.toThrow(StatementFailed);
    await database().rows.query('SET innodb_lock_wait_timeout = 1');
    await database().rows.query('UPDATE tsxwho SET uc = 1 WHERE tsxwhodid = ?', [first]);
    await db.transaction(async (tx) => { await tx.query(read); });
    expect([await idOf(first), await idOf(second)]).toEqual([`first ${_when}`, `second ${_when}`]);
  });

  test('with its COMMIT leaves nothing behind either', async () => {
    const db = database().open({ connectionLimit: 1 });
    const [first, second] = [await database().addOwner({ ownerid: 'a' }), await database().addOwner({ ownerid: 'b' })];
    const refused = db.transaction(async (tx) => {
      await tx.execute(rename(first, 'c'));
      tx.last(rename(second, 'c'));
    });
    await expect(refused).rejects.toThrow(StatementFailed);
    await database().rows.query('UPDATE tsxwho SET uc = 1 WHERE tsxwhodid = ?', [first]);
    await db.transaction(async (tx) => { await tx.query(read); });
    expect([await idOf(first), await idOf(second)]).toEqual(['a', 'b']);
  });
});
