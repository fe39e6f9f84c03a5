import type { TestProject } from 'vitest/node';

import { startMariaDb } from './stores.ts';

/** The MariaDB all test files share; `createDatabase` gives each a schema of its own on it. */
export interface SharedMariaDb {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    mariaDb: SharedMariaDb;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const mariaDb = await startMariaDb();
  const { host, port, user, password } = mariaDb;
  project.provide('mariaDb', { host, port, user, password });
  return () => mariaDb.remove();
}
