import { Secret } from '../../src/domain/secret.ts';
import { openDatabase } from '../../src/mysql/connection.ts';
import { checkSchema } from '../../src/mysql/schema.ts';
import type { TestDatabase } from '../harness/database.ts';

/** Looks at the schema as a node does at its start. @throws SchemaOutdated */
export async function accepted(database: TestDatabase): Promise<void> {
  const quiet = (): void => undefined;
  const db = openDatabase({ ...database, password: new Secret(database.password), connectionLimit: 1, queryTimeoutMs: 5_000 }, { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet });
  try {
    await checkSchema(db);
  } finally {
    await db.close();
  }
}
