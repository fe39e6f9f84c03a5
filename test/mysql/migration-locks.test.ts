import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Connection } from 'mysql2/promise';

import { withSchema } from '../harness/baseline.ts';
import { createDatabase } from '../harness/database.ts';
import type { TestDatabase } from '../harness/database.ts';
import { loadOldest, migrate, migrations, readScript, statementsOf } from './fixtures/scripts.ts';

let database: TestDatabase;
let migration: Connection;
let oldService: Connection;

beforeEach(async () => {
  database = await createDatabase({ empty: true });
  await loadOldest(database);
  await migrate(database, migrations.slice(0, 2));
  [migration, oldService] = [await database.connect(), await database.connect()];
  await oldService.query('SET SESSION innodb_lock_wait_timeout = 1');
});

afterEach(() => database.drop());

/** As the Java service writes a refresh. */
async function refresh(parent: number, child: number): Promise<void> {
  await oldService.query('UPDATE tsxwho SET reattmptcount = 0 WHERE tsxwhodid = 1');
  await oldService.query('UPDATE tsttoken SET isvalid = 0 WHERE tokendid = ?', [parent]);
  const insert = "INSERT INTO tsttoken (tokendid, tsxwhodid, tokenauth, tokenvalidity, isvalid, accesstoken, refreshtoken, parenttokendid) VALUES (?, 1, 'YTpi', 1, 1, 'a', 'r', ?)";
  await oldService.query(insert, [child, parent]);
  await oldService.query("INSERT INTO tstevent (jobname, text, event, status) VALUES ('CREATE_NEW_TOKEN', 'a|r', 2002, 4003)");
}

test('no transaction of the last migration holds up a refresh of the old service', async () => {
  await oldService.query("INSERT INTO tsttoken (tokendid, tsxwhodid, tokenauth, tokenvalidity, isvalid, accesstoken, refreshtoken) VALUES (100, 1, 'YTpi', 1, 1, 'a', 'r')");
  let newest = 100;
  for (const statement of statementsOf(withSchema(await readScript(migrations[2]), database.schema))) {
    if (statement === 'COMMIT') await refresh(newest, ++newest);
    await migration.query(statement);
  }
  expect(newest).toBe(103);
  const [rows] = await oldService.query('SELECT tokendid, parenttokendid FROM tsttoken WHERE tokendid >= 100 ORDER BY 1');
  expect(rows).toEqual([{ tokendid: 100, parenttokendid: null }, { tokendid: 101, parenttokendid: 100 }, { tokendid: 102, parenttokendid: 101 }, { tokendid: 103, parenttokendid: 102 }]);
});
