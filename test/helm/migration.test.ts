import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, describe, expect, test } from 'vitest';

import { runScript } from '../harness/baseline.ts';
import { createDatabase } from '../harness/database.ts';
import type { TestDatabase } from '../harness/database.ts';
import { freePort } from '../harness/ports.ts';
import { loadOldest, migrate, migrations, readScript, statementsOf } from '../mysql/fixtures/scripts.ts';
import { accepted } from './accepted-schema.ts';
import { chart, readChartFile } from './chart.ts';

const patience = 60_000;
const folder = mkdtempSync(join(tmpdir(), 'tps-migration-'));
const created: TestDatabase[] = [];

afterAll(() => { rmSync(folder, { recursive: true }); });

afterEach(async () => {
  for (const database of created.splice(0)) await database.drop();
});

async function create(empty: boolean): Promise<TestDatabase> {
  const database = await createDatabase({ empty });
  created.push(database);
  return database;
}

interface Ending {
  readonly code: number;
  readonly said: string;
}

/** Runs the script of the Job as the Job does, on this machine's client. */
function runMigration(database: TestDatabase, given: Readonly<Record<string, string>> = {}): Promise<Ending> {
  const password = join(folder, 'password');
  writeFileSync(password, database.password);
  const env = {
    PATH: process.env['PATH'] ?? '', TMPDIR: folder,
    DATABASE_HOST: database.host, DATABASE_PORT: String(database.port), DATABASE_NAME: database.schema, DATABASE_USER: database.user,
    DATABASE_PASSWORD_FILE: password, DATABASE_TLS: 'DISABLED', DATABASE_CA_FILE: '', SCRIPTS: join(chart, 'files/dbscripts'), FROM_VERSION_1: 'false', WAIT_SECONDS: '0',
    ...given,
  };
  return new Promise((resolve) => {
    execFile('/bin/sh', [join(chart, 'files/migrate.sh')], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr });
    });
  });
}

describe('the migration of the chart', () => {
  test('sets a new database up, and does nothing the second time', async () => {
    const database = await create(true);
    expect(await runMigration(database)).toMatchObject({ code: 0, said: 'The database has no table of the service.\nRunning baseline.sql.\nThe database is at schema 2.0.0.\n' });
    await accepted(database);
    expect(await runMigration(database)).toEqual({ code: 0, said: 'The database is at schema 2.0.0.\n' });
  }, patience);

  const OLD: [version: string, scripts: readonly string[], left: readonly string[]][] = [
    ['1.0.1', [], migrations],
    ['1.1.7', migrations.slice(0, 1), migrations.slice(1)],
    ['1.1.8', migrations.slice(0, 2), migrations.slice(2)],
  ];

  test.each(OLD)('takes a database of version %s over when it may, by the scripts that it lacks', async (version, scripts, left) => {
    const database = await create(true);
    await loadOldest(database);
    await migrate(database, scripts);
    expect(await runMigration(database)).toMatchObject({ code: 1, said: expect.stringContaining('set migration.fromVersion1=true') as string });
    await expect(accepted(database)).rejects.toThrow('schema');
    const said = [`The database is at schema ${version}.`, ...left.map((name) => `Running ${name}.`), 'The database is at schema 2.0.0.', ''].join('\n');
    expect(await runMigration(database, { FROM_VERSION_1: 'true' })).toEqual({ code: 0, said });
    await accepted(database);
  }, patience);

  test('ends one that was interrupted', async () => {
    const database = await create(true);
    await loadOldest(database);
    await migrate(database, migrations.slice(0, 2));
    const statements = statementsOf((await readScript(migrations[2])).replaceAll('`token_service`', `\`${database.schema}\``));
    await runScript(database, `${statements.slice(0, statements.length / 2).join(';\n')};`);
    await expect(accepted(database)).rejects.toThrow('interrupted');
    expect(await runMigration(database, { FROM_VERSION_1: 'true' })).toMatchObject({ code: 0 });
    await accepted(database);
  }, patience);

  test('leaves a newer database alone', async () => {
    const database = await create(false);
    await runScript(database, `INSERT INTO tstschema (version) VALUES ('2.10.0')`, database.schema);
    expect(await runMigration(database)).toMatchObject({ code: 1, said: expect.stringContaining('at schema 2.10.0, which is newer than what this release works with (2.0.0)') as string });
  }, patience);

  test('leaves half of a database alone', async () => {
    const database = await create(true);
    await runScript(database, 'CREATE TABLE tsxwho (a int)', database.schema);
    expect(await runMigration(database)).toMatchObject({ code: 1, said: expect.stringContaining('lacks some of tsxwho, tsttoken and tstevent') as string });
  }, patience);

  test('says what the client said of a script that failed', async () => {
    const database = await create(true);
    await runScript(database, 'CREATE VIEW tstspent AS SELECT 1', database.schema);
    expect(await runMigration(database)).toMatchObject({ code: 1, said: expect.stringMatching(/Running baseline\.sql\.\n[^]*ERROR 1050 .*tstspent/) as string });
  }, patience);

  test('takes the next script of a later release, in the order of versions', async () => {
    const database = await create(false);
    const scripts = mkdtempSync(join(folder, 'scripts-'));
    const step = (to: string): string => `USE \`token_service\`;\nINSERT INTO tstschema (version) VALUES ('${to}');\n`;
    for (const [name, to] of [['2_0_0to2_9_0', '2.9.0'], ['2_9_0to2_10_0', '2.10.0']] as const) writeFileSync(join(scripts, `migration${name}.sql`), step(to));
    expect(await runMigration(database, { SCRIPTS: scripts })).toEqual({ code: 0, said: 'The database is at schema 2.0.0.\nRunning migration2_0_0to2_9_0.sql.\nRunning migration2_9_0to2_10_0.sql.\nThe database is at schema 2.10.0.\n' });
    expect(await runMigration(database, { SCRIPTS: scripts })).toEqual({ code: 0, said: 'The database is at schema 2.10.0.\n' });
  }, patience);
});

describe('the log-in of the migration', () => {
  const MYSQL: [mode: string, options: string][] = [
    ['DISABLED', 'ssl-mode=DISABLED\n'],
    ['PREFERRED', 'ssl-mode=PREFERRED\n'],
    ['VERIFY_IDENTITY', 'ssl-mode=VERIFY_IDENTITY\nssl-ca=/ca.pem\n'],
  ];
  const MARIADB: [mode: string, options: string][] = [
    ['DISABLED', 'skip-ssl\n'],
    ['PREFERRED', 'skip-ssl-verify-server-cert\n'],
    ['REQUIRED', 'ssl\nskip-ssl-verify-server-cert\n'],
    ['VERIFY_CA', 'ssl\nssl-verify-server-cert\nssl-ca=/ca.pem\n'],
  ];
  const CLIENTS = [
    ...MYSQL.map(([mode, options]) => ['mysql  Ver 8.4.6 for Linux on x86_64 (MySQL Community Server - GPL)', mode, options]),
    ...MARIADB.map(([mode, options]) => ['mysql  Ver 15.1 Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)', mode, options]),
  ];

  test.each(CLIENTS)('tells %s to have TLS as %s says', async (version = '', mode = '', options = '') => {
    const database = { ...await create(true), password: 'a' };
    const programs = mkdtempSync(join(folder, 'programs-'));
    // Says its version, or fails with what its option file says.
    const stub = `#!/bin/sh\nif [ "$1" = --version ]; then echo '${version}'; exit; fi\n{ echo 'ERROR 1045 '; cat "\${1#--defaults-file=}"; } >&2\nexit 1\n`;
    writeFileSync(join(programs, 'mysql'), stub, { mode: 0o755 });
    const { said } = await runMigration(database, { PATH: `${programs}:${process.env['PATH'] ?? ''}`, DATABASE_TLS: mode, DATABASE_CA_FILE: '/ca.pem' });
    expect(said).toContain(`password="a"\n${options}`);
    expect(said.endsWith(options)).toBe(true);
  }, patience);

  test('takes a server without TLS where TLS is preferred, and does nothing on it where it is required', async () => {
    const database = await create(true);
    expect(await runMigration(database, { DATABASE_TLS: 'PREFERRED' })).toMatchObject({ code: 0 });
    for (const mode of ['REQUIRED', 'VERIFY_IDENTITY']) {
      expect(await runMigration(await create(true), { DATABASE_TLS: mode, WAIT_SECONDS: '600' })).toMatchObject({ code: 1, said: expect.stringMatching(/TLS|SSL/) as string });
    }
  }, patience);

  test('takes a password with quotes, escapes, spaces and signs', async () => {
    const database = await create(true);
    const [user, password] = [`${database.schema.slice(0, 20)}_u`, ` a"b'c\\d#e;f=g $(h) \`i\` `];
    await runScript(database, `CREATE USER '${user}'@'%' IDENTIFIED BY ${JSON.stringify(password)}; GRANT ALL ON ${database.schema}.* TO '${user}'@'%'`);
    try {
      expect(await runMigration({ ...database, user, password })).toMatchObject({ code: 0 });
    } finally {
      await runScript(database, `DROP USER '${user}'@'%'`);
    }
  }, patience);

  test('needs no right on the schema but those that values.yaml names', async () => {
    const database = await create(true);
    await loadOldest(database);
    const rights = /needs ([A-Z, ]+) and (DELETE) on the schema/.exec(readChartFile('values.yaml'))?.slice(1).join(', ');
    const user = `${database.schema.slice(0, 20)}_r`;
    await runScript(database, `CREATE USER '${user}'@'%' IDENTIFIED BY 'r'; GRANT ${rights} ON ${database.schema}.* TO '${user}'@'%'`);
    try {
      expect(await runMigration({ ...database, user, password: 'r' }, { FROM_VERSION_1: 'true' })).toMatchObject({ code: 0 });
    } finally {
      await runScript(database, `DROP USER '${user}'@'%'`);
    }
  }, patience);

  test('gives up soon where somebody holds a table, instead of letting nobody else at it', async () => {
    const database = await create(true);
    await loadOldest(database);
    const holder = await database.connect();
    await holder.query('START TRANSACTION');
    await holder.query('SELECT * FROM tsttoken');
    const { code, said } = await runMigration(database, { FROM_VERSION_1: 'true' });
    expect([code, said]).toEqual([1, expect.stringContaining('ERROR 1205')]);
    await holder.query('ROLLBACK');
    expect(await runMigration(database, { FROM_VERSION_1: 'true' })).toMatchObject({ code: 0 });
  }, patience);

  test('is refused at once where the password is wrong, which is not shown', async () => {
    const database = await create(true);
    const { code, said } = await runMigration({ ...database, password: 'hunter2-secret' }, { WAIT_SECONDS: '600' });
    expect([code, said]).toEqual([1, expect.stringContaining('ERROR 1045')]);
    expect(said).not.toContain('hunter2');
  }, patience);

  test('waits for a database that does not answer, no longer than it may', async () => {
    const database = await create(true);
    const { code, said } = await runMigration(database, { DATABASE_PORT: String(await freePort()), WAIT_SECONDS: '2' });
    expect([code, said]).toEqual([1, expect.stringContaining('did not answer in 2 s')]);
  }, patience);

  test('leaves no password behind', async () => {
    const database = await create(true);
    const tmp = mkdtempSync(join(folder, 'tmp-'));
    await runMigration(database, { TMPDIR: tmp });
    await runMigration(database, { TMPDIR: tmp, SCRIPTS: '/nonexistent' });
    expect(readdirSync(tmp)).toEqual([]);
  }, patience);
});
