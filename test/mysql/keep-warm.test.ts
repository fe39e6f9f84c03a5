import { setTimeout as sleep } from 'node:timers/promises';

import { expect, test } from 'vitest';

import type { Database } from '../../src/mysql/connection.ts';
import { keepWarm } from '../../src/mysql/keep-warm.ts';
import { useTokenDatabase } from './token-database.ts';

const database = useTokenDatabase();
/** Its connections are not used again once they idled for a second, and closed by the server after two. */
const queryTimeoutMs = 1000;

/** The connections that serve three statements at once, by the numbers that the server gives them. */
async function connectionsOf(db: Database): Promise<number[]> {
  const ask = async (): Promise<number> => Number((await db.query<{ id: number }>({ label: 'test', sql: 'SELECT CONNECTION_ID() AS id, SLEEP(0.1)' }))[0]?.id);
  return (await Promise.all([ask(), ask(), ask()])).sort((a, b) => a - b);
}

test('connections are kept ready while they are wanted, however long nobody else uses them', async () => {
  const db = database().open({ queryTimeoutMs });
  let isWanted = true;
  const warm = keepWarm(db, 3, () => isWanted);
  await warm.start();
  await sleep(200);
  const first = await connectionsOf(db);
  await sleep(3500);
  expect(await connectionsOf(db)).toEqual(first);
  isWanted = false;
  await sleep(3500);
  expect(await connectionsOf(db)).not.toEqual(first);
  await warm.stop();
});
