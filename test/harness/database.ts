import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { createConnection } from 'mysql2/promise';
import type { Connection } from 'mysql2/promise';
import { inject } from 'vitest';

import type { SharedMariaDb } from './global-setup.ts';

export interface TestDatabase extends SharedMariaDb {
  /** The schema's name on the shared server. */
  readonly schema: string;
  readonly jdbcUrl: string;
  /** A connection of the test's own to look at and arrange rows; `drop` closes it. Times are UTC. */
  connect(): Promise<Connection>;
  drop(): Promise<void>;
}

const BASELINE = new URL('../../dbscripts/baseline.sql', import.meta.url);

/**
 * A new schema on the MariaDB that all test files share, set up by dbscripts/baseline.sql. `empty`: without any
 * table, for tests of the scripts themselves. For a server that a test may stop, see `startMariaDb` and `loadBaseline`.
 */
export async function createDatabase(options: { readonly empty?: boolean } = {}): Promise<TestDatabase> {
  const server = inject('mariaDb');
  const schema = `test_${randomBytes(6).toString('hex')}`;
  if (options.empty === true) await runScript(server, `CREATE DATABASE ${schema}`);
  else await loadBaseline(server, schema);
  const open: Connection[] = [];
  return {
    ...server,
    schema,
    jdbcUrl: `jdbc:mysql://${server.host}:${String(server.port)}/${schema}?useSSL=false&serverTimezone=UTC`,
    async connect() {
      const connection = await createConnection({ ...server, database: schema, timezone: 'Z' });
      open.push(connection);
      return connection;
    },
    async drop() {
      for (const connection of open) connection.destroy();
      await runScript(server, `DROP DATABASE IF EXISTS ${schema}`);
    },
  };
}

/** Creates `schema` from dbscripts/baseline.sql on any server. */
export async function loadBaseline(server: SharedMariaDb, schema: string): Promise<void> {
  const script = await readFile(BASELINE, 'utf8');
  await runScript(server, withSchema(script, schema));
}

/** A script of dbscripts/ that names the schema `token_service`, made to name another one. */
export function withSchema(script: string, schema: string): string {
  return script.replaceAll(/`?\btoken_service\b`?/g, `\`${schema}\``);
}

/** Runs all statements of a script; `database` is the schema it starts in. */
export async function runScript(server: SharedMariaDb, script: string, database?: string): Promise<void> {
  const { host, port, user, password } = server;
  const connection = await createConnection({ host, port, user, password, multipleStatements: true, ...(database !== undefined && { database }) });
  try {
    await connection.query(script);
  } finally {
    await connection.end();
  }
}
