import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { runScript, withSchema } from '../harness/baseline.ts';
import { createDatabase } from '../harness/database.ts';
import type { TestDatabase } from '../harness/database.ts';
import { loadOldest, migrate, migrations, readScript, statementsOf } from './fixtures/scripts.ts';

let database: TestDatabase;
let connection: Connection;

async function use(options: { empty: boolean }): Promise<void> {
  database = await createDatabase(options);
  connection = await database.connect();
}

afterEach(async () => {
  await database.drop();
});

async function rows(sql: string, from = connection): Promise<RowDataPacket[]> {
  const [result] = await from.query<RowDataPacket[]>(sql);
  return result;
}

async function schemaOf(from: Connection): Promise<Record<string, RowDataPacket[]>> {
  return {
    columns: await rows(`SELECT table_name, column_name, ordinal_position, column_default, is_nullable, column_type, collation_name, extra
      FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position`, from),
    indexes: await rows(`SELECT table_name, index_name, seq_in_index, column_name, non_unique, sub_part
      FROM information_schema.statistics WHERE table_schema = DATABASE() ORDER BY table_name, index_name, seq_in_index`, from),
    constraints: await rows(`SELECT table_name, constraint_name, constraint_type
      FROM information_schema.table_constraints WHERE table_schema = DATABASE() ORDER BY table_name, constraint_name`, from),
    checks: await rows(`SELECT constraint_name, check_clause
      FROM information_schema.check_constraints WHERE constraint_schema = DATABASE() ORDER BY constraint_name`, from),
    tables: await rows(`SELECT table_name, engine, row_format, table_collation
      FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name`, from),
    versions: await rows('SELECT version FROM tstschema', from),
    epochs: await rows('SELECT * FROM tstepoch', from),
  };
}

async function freshSchema(): Promise<Record<string, RowDataPacket[]>> {
  const fresh = await createDatabase();
  try {
    return await schemaOf(await fresh.connect());
  } finally {
    await fresh.drop();
  }
}

describe('the migrations from 1.0.1', () => {
  beforeEach(async () => {
    await use({ empty: true });
    await loadOldest(database);
  });

  test('end in the same schema as a fresh set-up', async () => {
    await migrate(database, migrations);
    expect(await schemaOf(connection)).toEqual(await freshSchema());
  });

  test('end in the same schema where a dump had made the index of the foreign key explicit', async () => {
    await connection.query('ALTER TABLE tsttoken DROP FOREIGN KEY fk01tsttoken');
    await connection.query('ALTER TABLE tsttoken DROP KEY fk01tsttoken, ADD KEY fk01tsttoken (tsxwhodid)');
    await connection.query('ALTER TABLE tsttoken ADD CONSTRAINT fk01tsttoken FOREIGN KEY (tsxwhodid) REFERENCES tsxwho (tsxwhodid)');
    await migrate(database, migrations);
    expect((await schemaOf(connection)).indexes).toEqual((await freshSchema()).indexes);
  });

  test('keep every row and every value but the links in the way', async () => {
    const read = async (): Promise<RowDataPacket[][]> => [
      await rows('SELECT tsxwhodid, ownerid, tokenurl, defaultconnectionresettime, isvalid, createddate, uc FROM tsxwho ORDER BY 1'),
      await rows('SELECT tokendid, tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken, isvalid, uc, createdtime FROM tsttoken ORDER BY 1'),
      await rows("SELECT eventdid, jobname, createdtime, text, event, status FROM tstevent WHERE jobname <> 'migration' ORDER BY 1"),
    ];
    const before = await read();
    await migrate(database, migrations);
    expect(await read()).toEqual(before);
    expect(before.map((table) => table.length)).toEqual([2, 11, 2]);
  });

  test('leave every token free to get its one child', async () => {
    await migrate(database, migrations);
    const links = await rows('SELECT tokendid, parenttokendid FROM tsttoken WHERE parenttokendid IS NOT NULL ORDER BY 1');
    expect(links.map((link): unknown[] => [link.tokendid, link.parenttokendid])).toEqual([
      [2, 1],
      [3, 2],
      [6, 3],
    ]);
  });

  test('write every link they clear to the history', async () => {
    await migrate(database, migrations);
    const events = await rows("SELECT event, text FROM tstevent WHERE jobname = 'migration' ORDER BY text");
    expect(events.map((event): unknown[] => [event.event, event.text])).toEqual([
      ['2001', 'tsttoken 10 no longer names 4711 as its parent: there is no such token'],
      ['2001', 'tsttoken 4 no longer names 3 as its parent: tsttoken 6 names it too'],
      ['2001', 'tsttoken 5 no longer names 3 as its parent: tsttoken 6 names it too'],
      ['2001', 'tsttoken 7 no longer names 6 as its parent: that token is still valid'],
      ['2001', 'tsttoken 9 no longer names 9 as its parent: that is the row itself'],
    ]);
  });

  test('can be run again, and then change nothing', async () => {
    await migrate(database, migrations);
    // A link that the service itself may have written meanwhile: a token was made valid again by hand.
    await connection.query('UPDATE tsttoken SET isvalid = 1 WHERE tokendid = 3');
    const read = async (): Promise<unknown[]> => [await schemaOf(connection), await rows('SELECT * FROM tsttoken ORDER BY 1'), await rows('SELECT * FROM tstevent ORDER BY 1')];
    const once = await read();
    await migrate(database, migrations);
    expect(await read()).toEqual(once);
  });

  test('can be resumed after any change', { timeout: 60_000 }, async () => {
    const fresh = await freshSchema();
    await migrate(database, migrations.slice(0, 2));
    const statements = statementsOf(withSchema(await readScript(migrations[2]), database.schema));
    const changes = statements.flatMap((statement, at) => (/^(EXECUTE|CREATE|UPDATE)/.test(statement) ? [at + 1] : []));
    expect(changes.length).toBeGreaterThan(10);
    for (const done of changes) {
      await runScript(database, `DROP DATABASE ${database.schema}; CREATE DATABASE ${database.schema}`);
      await loadOldest(database);
      await migrate(database, migrations.slice(0, 2));
      await runScript(database, statements.slice(0, done).join(';\n'));
      await migrate(database, migrations.slice(2));
      await connection.changeUser({ database: database.schema });
      expect(await schemaOf(connection), `after ${String(done)} statements`).toEqual(fresh);
      expect(await rows("SELECT COUNT(*) AS n FROM tstevent WHERE jobname = 'migration'")).toEqual([{ n: 5 }]);
    }
  });

  test('take a validity that is missing for one that has expired', async () => {
    await migrate(database, migrations.slice(0, 2));
    await connection.query('ALTER TABLE tsttoken MODIFY COLUMN tokenvalidity bigint');
    await connection.query('UPDATE tsttoken SET tokenvalidity = NULL WHERE tokendid = 8');
    await migrate(database, migrations.slice(2));
    expect(await rows('SELECT tokenvalidity FROM tsttoken WHERE tokendid = 8')).toEqual([{ tokenvalidity: 0 }]);
    expect(await rows("SELECT text FROM tstevent WHERE text LIKE '%tokenvalidity%'")).toEqual([{ text: 'tsttoken 8 had no tokenvalidity, it is 0 now' }]);
    expect(await schemaOf(connection)).toEqual(await freshSchema());
  });

  test('stop before the first change where an earlier script was left out', async () => {
    const before = await rows('SELECT table_name, column_name, column_type FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY 1, 2');
    await expect(migrate(database, migrations.slice(2))).rejects.toThrow("tstemail' doesn't exist");
    expect(await rows('SELECT table_name, column_name, column_type FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY 1, 2')).toEqual(before);
  });
});

describe('a database of the present schema', () => {
  beforeEach(async () => {
    await use({ empty: false });
  });

  test('takes the sample inserts of the manual as they are written there', async () => {
    await connection.query("INSERT INTO `tsxwho` (`ownerid`, `tokenurl`, `defaultconnectionresettime`, `isvalid`, `reattmptcount`, `retrymax`, `retrydelay` ) VALUES ('owner2', 'https://localhost:8243/token', '4000', 1, 0, 5, 1000);");
    await connection.query("insert into tsttoken ( tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken , isvalid ) values (1, 'YTpi', 3600000, 'access', 'refresh',1);");
    await connection.query("insert into tstemail ( idtstemail, tsxwhodid, tstmailaddr) values (7, 1, 'someone@example.com');");
    const [token] = await rows('SELECT state, attempt, retrycount, dueat, parenttokendid FROM tsttoken');
    expect(token).toEqual({ state: 'idle', attempt: null, retrycount: 0, dueat: null, parenttokendid: null });
    const [owner] = await rows('SELECT refreshmode, providerpolicy, gracems FROM tsxwho');
    expect(owner).toEqual({ refreshmode: 'auto', providerpolicy: 'reuse_detect', gracems: 0 });
  });

  test('holds tokens of many kilobytes', async () => {
    await insertOwner('owner1');
    await connection.query("INSERT INTO tsttoken (tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken, isvalid) VALUES (1, REPEAT('b', 2000), 1, REPEAT('a', 100000), REPEAT('r', 100000), 1)");
    expect(await rows('SELECT LENGTH(accesstoken) AS a, LENGTH(refreshtoken) AS r FROM tsttoken')).toEqual([{ a: 100_000, r: 100_000 }]);
  });

  test('leaves createdtime as it was when a row is changed', async () => {
    await insertOwner('owner1');
    await connection.query("INSERT INTO tsttoken (tsxwhodid, tokenauth, tokenvalidity, isvalid, createdtime) VALUES (1, 'x', 1, 1, '2020-01-01 00:00:00.123')");
    await connection.query("UPDATE tsttoken SET isvalid = 0, state = 'claimed', statesince = NOW(3)");
    const [token] = await rows('SELECT createdtime FROM tsttoken');
    expect(token?.createdtime).toEqual(new Date('2020-01-01T00:00:00.123Z'));
  });

  test('tells owner ids apart by case and accent, and takes any character in them', async () => {
    for (const id of ['owner', 'Owner', 'öwner', 'owner/ü?😀']) await insertOwner(id);
    const found = await connection.query<RowDataPacket[]>('SELECT ownerid FROM tsxwho WHERE ownerid = ?', ['Owner']);
    expect(found[0]).toEqual([{ ownerid: 'Owner' }]);
    await expect(insertOwner('owner ')).rejects.toThrow('Duplicate entry');
  });

  test('gives a token one child, and an attempt one row', async () => {
    await insertOwner('owner1');
    const insert = (parent: string, attempt: string): Promise<unknown> =>
      connection.query(`INSERT INTO tsttoken (tsxwhodid, tokenauth, tokenvalidity, isvalid, parenttokendid, attempt) VALUES (1, 'x', 1, 1, ${parent}, ${attempt})`);
    await insert('NULL', 'NULL');
    await insert('NULL', "REPEAT('a', 32)");
    await insert('1', 'NULL');
    await expect(insert('1', 'NULL')).rejects.toThrow('uk01tsttoken');
    await expect(insert('NULL', "REPEAT('a', 32)")).rejects.toThrow('uk02tsttoken');
  });

  test('refuses a mode, a policy or a state that nobody knows', async () => {
    await insertOwner('owner1');
    await expect(connection.query("UPDATE tsxwho SET refreshmode = 'always'")).rejects.toThrow('ck01tsxwho');
    await expect(connection.query("UPDATE tsxwho SET providerpolicy = 'Grace'")).rejects.toThrow('ck02tsxwho');
    await expect(connection.query("INSERT INTO tsttoken (tsxwhodid, tokenauth, tokenvalidity, isvalid, state) VALUES (1, 'x', 1, 1, 'done')")).rejects.toThrow('ck01tsttoken');
  });

  test('is not touched by baseline.sql', async () => {
    await insertOwner('owner1');
    await expect(migrate(database, ['baseline.sql'])).rejects.toThrow("Table 'tsxwho' already exists");
    expect(await rows('SELECT ownerid FROM tsxwho')).toEqual([{ ownerid: 'owner1' }]);
  });

  async function insertOwner(id: string): Promise<void> {
    await connection.query("INSERT INTO tsxwho (ownerid, tokenurl, defaultconnectionresettime, isvalid) VALUES (?, 'https://localhost:8243/token', 4000, 1)", [id]);
  }
});
