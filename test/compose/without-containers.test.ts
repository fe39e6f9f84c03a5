import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { runScript } from '../harness/baseline.ts';
import { startNode } from '../harness/node-process.ts';
import type { NodeProcess } from '../harness/node-process.ts';
import { freePort } from '../harness/ports.ts';
import { ServerProcess } from '../harness/server-process.ts';
import { findProgram } from '../harness/store-programs.ts';
import { startMariaDb, startRedis } from '../harness/stores.ts';
import type { MariaDb } from '../harness/stores.ts';
import { databaseScripts, environmentOf, mountsOf } from './compose-file.ts';
import { containerEnvironment } from './node-environment.ts';

/** What deploy/docker-compose.yml starts, as processes: same scripts, same environment; only addresses and folders are others. */
const stack = new AsyncDisposableStack();
let folder: string;
let mariaDb: MariaDb;
let node: NodeProcess;

const rootPassword = environmentOf('mysql')['MYSQL_ROOT_PASSWORD']!;
const password = environmentOf('mysql')['TOKENPOOL_DATABASE_PASSWORD']!;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tps-compose-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  mariaDb = await startMariaDb();
  stack.defer(() => mariaDb.remove());
  const redis = await startRedis();
  stack.defer(() => redis.remove());
  const providerPort = await freePort();
  const provider = await startProvider(providerPort);
  stack.defer(() => provider.remove());
  await runScript(mariaDb, `ALTER USER 'root'@'localhost' IDENTIFIED BY '${rootPassword}'`);
  for (const { source } of databaseScripts()) await runInNewDatabase(source, providerPort);
  const places = { TOKENPOOL_DATABASE_URL: mariaDb.jdbcUrl('token_service'), TOKENPOOL_REDIS_URL: redis.url, TOKENPOOL_JOURNAL_FOLDER: join(folder, 'journal') };
  node = await startNode({ env: { ...containerEnvironment('node-1'), ...places } });
  stack.defer(async () => { await node.stop(); });
  await node.waitReady();
});

afterAll(() => stack.disposeAsync());

/** As the image of MySQL does: SQL as root, anything else by a shell, with its environment. */
async function runInNewDatabase(script: string, providerPort: number): Promise<void> {
  if (script.endsWith('.sql')) return runScript(mariaDb, (await readFile(script, 'utf8')).replaceAll('http://provider:8080/', `http://127.0.0.1:${providerPort}/`));
  const client = `#!/bin/sh\nexec ${findProgram('mysql', 'mariadb')} --no-defaults --socket=${join(dirname(mariaDb.dataFolder), 'socket')} "$@"\n`;
  await writeFile(join(folder, 'mysql'), client, { mode: 0o700 });
  await promisify(execFile)('/bin/sh', ['-e', script], { env: { ...environmentOf('mysql'), PATH: `${folder}:${process.env['PATH'] ?? ''}` } });
}

async function startProvider(port: number): Promise<ServerProcess> {
  const [script] = mountsOf('provider');
  const answers = (): Promise<boolean> => fetch(`http://127.0.0.1:${port}/`).then(() => true, () => false);
  const started = new ServerProcess({ name: 'The provider', program: '/usr/bin/env', args: [`PROVIDER_PORT=${port}`, process.execPath, script!.source], folder: await mkdtemp(join(tmpdir(), 'tps-provider-')), answers });
  await started.start();
  return started;
}

async function loggedIn<T>(work: (ask: (sql: string) => Promise<unknown[]>) => Promise<T>): Promise<T> {
  const connection = await createConnection({ host: mariaDb.host, port: mariaDb.port, user: 'tokenpool', password, database: 'token_service' });
  try {
    return await work(async (sql) => (await connection.query(sql))[0] as unknown[]);
  } finally {
    await connection.end();
  }
}

test.each(['gateway-1', 'gateway-2', 'gateway-3'])('the first GET for %s gives a token of the provider', async (owner) => {
  const answer = await fetch(`${node.appUrl}/tokenservice/${owner}`);
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringMatching(/^[\w-]{32}$/)]);
});

test('PUT refresh gives another', async () => {
  const token = await (await fetch(`${node.appUrl}/tokenservice/gateway-1`)).text();
  const answer = await fetch(`${node.appUrl}/tokenservice/refresh/gateway-1/${token}`, { method: 'PUT' });
  expect(answer.status).toBe(200);
  expect(await answer.text()).not.toBe(token);
});

test('the user of the service may do what docs/database.md says, and no more', async () => {
  await loggedIn(async (ask) => {
    expect(await ask('SELECT ownerid FROM tsxwho ORDER BY 1')).toEqual(['gateway-1', 'gateway-2', 'gateway-3'].map((ownerid) => ({ ownerid })));
    await expect(ask('DROP TABLE tsxwho')).rejects.toThrow('denied');
    await expect(ask('SELECT * FROM mysql.user')).rejects.toThrow('denied');
  });
});

test('the key that is mounted seals what the database holds', async () => {
  const inClear = (): Promise<unknown[]> => loggedIn((ask) => ask("SELECT tokendid FROM tsttoken WHERE isvalid = 1 AND accesstoken NOT LIKE 'sealed:v1:laptop:%'"));
  await expect.poll(inClear, { timeout: 10_000 }).toEqual([]);
});
