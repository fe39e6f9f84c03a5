import { afterEach, describe, expect, test } from 'vitest';
import { Secret } from '../../src/domain/secret.ts';
import { openDatabase } from '../../src/mysql/connection.ts';
import type { Database } from '../../src/mysql/connection.ts';
import { readDatabaseTime } from '../../src/mysql/database-time.ts';
import { appendEvents } from '../../src/mysql/events.ts';
import { recipientsOf, recipientsOfAll } from '../../src/mysql/recipients.ts';
import { checkSchema, RightsMissing, SchemaOutdated } from '../../src/mysql/schema.ts';
import { runScript } from '../harness/baseline.ts';
import { createDatabase } from '../harness/database.ts';
import type { TestDatabase } from '../harness/database.ts';
import { loadOldest, migrate, migrations } from './fixtures/scripts.ts';

const silent = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };
const opened: Database[] = [];
const created: TestDatabase[] = [];

function ignore(): void {
  // Nothing of these tests is about the log.
}

afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
  for (const database of created.splice(0)) await database.drop();
});

async function create(options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const database = await createDatabase(options);
  created.push(database);
  return database;
}

function open({ host, port, user, password, schema }: TestDatabase): Database {
  const database = openDatabase({ host, port, user, password: new Secret(password), schema, connectionLimit: 2, queryTimeoutMs: 5_000 }, silent);
  opened.push(database);
  return database;
}

async function complaint(database: TestDatabase, writing = true): Promise<Error | undefined> {
  try {
    await checkSchema(open(database), writing);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

async function messageOf(database: TestDatabase): Promise<string | undefined> {
  const error = await complaint(database);
  expect(error).toBeInstanceOf(SchemaOutdated);
  return error?.message;
}

describe('the schema check', () => {
  test('accepts what baseline.sql sets up', async () => {
    expect(await complaint(await create())).toBeUndefined();
  });

  test('sends an empty database to baseline.sql', async () => {
    expect(await messageOf(await create({ empty: true }))).toContain('Run dbscripts/baseline.sql');
  });

  test('sends a schema that does not exist to baseline.sql', async () => {
    const database = await create();
    expect(await messageOf({ ...database, schema: `${database.schema}_none` })).toContain('Run dbscripts/baseline.sql');
  });

  test('names the scripts that lead from each old schema to this one, and accepts what they lead to', async () => {
    const database = await create({ empty: true });
    await loadOldest(database);
    expect(await messageOf(database)).toBe(
      'The database is at schema 1.0.1; this version needs 2.0.0. Run dbscripts/migration1_0_1to1_1_5.sql, then dbscripts/migration1_1_7to1_1_8.sql, then dbscripts/migration1_1_8to2_0_0.sql, and start again.',
    );
    await migrate(database, migrations.slice(0, 1));
    expect(await messageOf(database)).toBe(
      'The database is at schema 1.1.5; this version needs 2.0.0. Run dbscripts/migration1_1_7to1_1_8.sql, then dbscripts/migration1_1_8to2_0_0.sql, and start again.',
    );
    await migrate(database, migrations.slice(1, 2));
    expect(await messageOf(database)).toBe('The database is at schema 1.1.8; this version needs 2.0.0. Run dbscripts/migration1_1_8to2_0_0.sql, and start again.');
    await migrate(database, migrations.slice(2));
    expect(await complaint(database)).toBeUndefined();
  });

  test.for(['DELETE FROM tstschema', 'DROP TABLE tstspent', 'ALTER TABLE tsxwho DROP CONSTRAINT ck01tsxwho, DROP COLUMN refreshmode'])('notices that a migration was interrupted: %s', async (damage) => {
    const database = await create();
    await runScript(database, damage, database.schema);
    expect(await messageOf(database)).toBe('The migration of the database to 2.0.0 was interrupted. Run dbscripts/migration1_1_8to2_0_0.sql again, and start again.');
  });

  test('notices that a set-up was interrupted', async () => {
    const database = await create();
    await runScript(database, 'DROP TABLE tstevent', database.schema);
    expect(await messageOf(database)).toContain('The database lacks tstevent');
  });

  test.for(['2.0.1', '2.10.0', '10.0.0'])('refuses the later schema %s', async (version) => {
    const database = await create();
    await runScript(database, `INSERT INTO tstschema (version) VALUES ('${version}')`, database.schema);
    expect(await messageOf(database)).toContain(`at schema ${version}, which is newer`);
  });

  test('names the right that the user lacks', async () => {
    const database = await create();
    const reader = await grant(database, 'SELECT');
    const error = await complaint(reader);
    expect(error).toBeInstanceOf(RightsMissing);
    expect(error?.message).toContain('UPDATE command denied');
    expect(error?.message).toContain('Grant it SELECT, INSERT, UPDATE and DELETE');
  });

  test('is content with a user that only reads, where the node never refreshes', async () => {
    const database = await create();
    expect(await complaint(await grant(database, 'SELECT'), false)).toBeUndefined();
  });

  test('asks for no more than the four rights, and leaves every row alone', async () => {
    const database = await create();
    expect(await complaint(await grant(database, 'SELECT, INSERT, UPDATE, DELETE'))).toBeUndefined();
    const connection = await database.connect();
    expect((await connection.query('SELECT epoch FROM tstepoch'))[0]).toEqual([{ epoch: 0 }]);
    expect((await connection.query('SELECT COUNT(*) AS n FROM tstkey'))[0]).toEqual([{ n: 0 }]);
  });

  test('says that the log-in was refused, without the password', async () => {
    const error = await complaint({ ...(await create()), password: 'wrong-hush' });
    expect(error).toBeInstanceOf(RightsMissing);
    expect(error?.message).toContain('The database refused the log-in');
    expect(error?.message).not.toContain('hush');
  });

  async function grant(database: TestDatabase, rights: string): Promise<TestDatabase> {
    const user = `user_${database.schema.slice(-8)}`;
    await runScript(database, `DROP USER IF EXISTS '${user}'@'%'; CREATE USER '${user}'@'%' IDENTIFIED BY 'pass'; GRANT ${rights} ON ${database.schema}.* TO '${user}'@'%'`);
    return { ...database, user, password: 'pass' };
  }
});

describe('small reads and writes', () => {
  test('the time of the database comes in epoch ms', async () => {
    const now = await readDatabaseTime(open(await create()));
    expect(Number.isInteger(now)).toBe(true);
    expect(Math.abs(now - Date.now())).toBeLessThan(5_000);
  });

  test('events are kept in order, and cut to what their columns hold', async () => {
    const database = await create();
    await appendEvents(open(database), [
      { job: 'j'.repeat(300), event: '2000', status: '4001', text: '😀'.repeat(500) },
      { job: 'owner:gw1', event: '2002', status: '4003', text: 'second' },
    ]);
    const connection = await database.connect();
    const [rows] = await connection.query('SELECT eventdid, CHAR_LENGTH(jobname) AS j, CHAR_LENGTH(text) AS t, RIGHT(text, 1) AS last FROM tstevent ORDER BY eventdid');
    expect(rows).toEqual([
      { eventdid: 1, j: 200, t: 400, last: '😀' },
      { eventdid: 2, j: 9, t: 6, last: 'd' },
    ]);
  });

  test('recipients are those of the owner: trimmed, each once, none empty', async () => {
    const database = await create();
    await runScript(database, `INSERT INTO tstemail (tsxwhodid, tstmailaddr) VALUES (1, ' b@example.com '), (1, 'a@example.com'), (1, 'b@example.com'), (1, ' '), (1, NULL), (2, 'c@example.com')`, database.schema);
    expect(await recipientsOf(open(database), 1)).toEqual(['b@example.com', 'a@example.com']);
    expect(await recipientsOf(open(database), 3)).toEqual([]);
    expect(await recipientsOfAll(open(database), [1, 2, 3])).toEqual(new Map([[1, ['b@example.com', 'a@example.com']], [2, ['c@example.com']]]));
    expect(await recipientsOfAll(open(database), [])).toEqual(new Map());
  });
});
