import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { createConnection } from 'mysql2/promise';

import { runScript, withSchema } from '../test/harness/baseline.ts';
import { startMariaDb } from '../test/harness/stores.ts';
import { migrations, readScript } from '../test/mysql/fixtures/scripts.ts';

/**
 * How long the migration from 1.1.8 takes, and how long it keeps a writer waiting, for docs/upgrade.md:
 *
 *   node bench/migration.ts [--rows 100000]
 *
 * A database of version 1.1.8 with so many rows in `tsttoken` and as many in `tstevent`, and a writer that changes one token every 5 ms.
 */
const { values } = parseArgs({ options: { rows: { type: 'string' } } });
const rows = Number(values.rows ?? 100_000);
const schema = 'token_service';

await using stack = new AsyncDisposableStack();
// Its own: servers that start remove what they find of others in the common one.
const temporary = await mkdtemp(join(tmpdir(), 'tps-migration-'));
stack.defer(() => rm(temporary, { recursive: true }));
const server = await startMariaDb({ args: [`--tmpdir=${temporary}`] });
stack.defer(() => server.remove());
const { host, port, user, password } = server;
await runScript(server, `CREATE DATABASE ${schema}`);
await runScript(server, await readFile(new URL('../test/mysql/fixtures/schema-1.0.1.sql', import.meta.url), 'utf8'), schema);
for (const name of migrations.slice(0, 2)) await runScript(server, withSchema(await readScript(name), schema));
const connection = await createConnection({ host, port, user, password, database: schema });
stack.defer(async () => { await connection.end(); });
await connection.query("INSERT INTO tsxwho (ownerid, tokenurl, defaultconnectionresettime, isvalid) VALUES ('gw', 'https://provider.example/token', 4000, 1)");
await connection.query(`INSERT INTO tsttoken (tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken, parenttokendid, isvalid)
  SELECT 1, 'YTpi', 3600000, REPEAT('a', 64), REPEAT('r', 64), NULLIF(seq - 1, 0), 0 FROM seq_1_to_${rows}`);
await connection.query(`INSERT INTO tstevent (jobname, text, event, status) SELECT 'CREATE_NEW_TOKEN', REPEAT('t', 129), '2002', '4003' FROM seq_1_to_${rows}`);

let isOver = false;
let longestMs = 0;
const writer = write();
const begun = performance.now();
try {
  await runScript(server, withSchema(await readScript(migrations[2]), schema));
} finally {
  isOver = true;
  await writer;
}
const tookMs = performance.now() - begun;
process.stdout.write(`${rows.toLocaleString('en')} rows in tsttoken and in tstevent: the migration took ${(tookMs / 1000).toFixed(1)} s, a write waited for ${(longestMs / 1000).toFixed(1)} s at most\n`);

async function write(): Promise<void> {
  while (!isOver) {
    const at = performance.now();
    await connection.query('UPDATE tsttoken SET isvalid = 0, uc = COALESCE(uc, 0) + 1 WHERE tokendid = 1');
    longestMs = Math.max(longestMs, performance.now() - at);
    await sleep(5);
  }
}
