import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { createConnection } from 'mysql2/promise';

/** Where scripts are run. */
export interface ScriptTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

const baseline = join(import.meta.dirname, '../../dbscripts/baseline.sql');

/** Creates `schema` from dbscripts/baseline.sql on any server. */
export async function loadBaseline(server: ScriptTarget, schema: string): Promise<void> {
  await runScript(server, withSchema(await readFile(baseline, 'utf8'), schema));
}

/** A script of dbscripts/ that names the schema `token_service`, made to name another one. */
export function withSchema(script: string, schema: string): string {
  return script.replaceAll(/`?\btoken_service\b`?/g, `\`${schema}\``);
}

/** Runs all statements of a script; `database` is the schema it starts in. */
export async function runScript({ host, port, user, password }: ScriptTarget, script: string, database?: string): Promise<void> {
  const connection = await createConnection({ host, port, user, password, multipleStatements: true, ...(database !== undefined && { database }) });
  try {
    await connection.query(script);
  } finally {
    await connection.end();
  }
}
