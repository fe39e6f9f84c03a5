import { randomBytes } from 'node:crypto';

import { createConnection } from 'mysql2/promise';
import type { Connection } from 'mysql2/promise';
import { inject } from 'vitest';

import { loadBaseline, runScript } from './baseline.ts';
import type { SharedMariaDb } from './global-setup.ts';

export interface TestDatabase extends SharedMariaDb {
  /** The schema's name on the shared server. */
  readonly schema: string;
  readonly jdbcUrl: string;
  /** A connection of the test's own to look at and arrange rows; `drop` closes it. Times are UTC. */
  connect(): Promise<Connection>;
  drop(): Promise<void>;
}

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
