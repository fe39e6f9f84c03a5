import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';

import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { createDatabase } from './database.ts';
import { startMariaDb, startRedis } from './stores.ts';
import type { MariaDb } from './stores.ts';

describe('a MariaDB of the test\'s own', () => {
  let mariaDb: MariaDb;
  beforeAll(async () => { mariaDb = await startMariaDb(); });
  afterAll(() => mariaDb.remove());

  const query = async (sql: string): Promise<unknown> => {
    const { host, port, user, password } = mariaDb;
    const connection = await createConnection({ host, port, user, password, multipleStatements: true });
    const [rows] = await connection.query(sql).finally(() => { connection.destroy(); });
    return rows;
  };

  test('has its data and its port again after it was killed', async () => {
    await query('CREATE DATABASE kept; CREATE TABLE kept.t (id int PRIMARY KEY); INSERT INTO kept.t VALUES (7)');
    await mariaDb.kill();
    await expect(query('SELECT 1')).rejects.toThrow('ECONNREFUSED');
    await mariaDb.restart();
    expect(await query('SELECT id FROM kept.t')).toEqual([{ id: 7 }]);
  });

  test('answers nothing while frozen, and what was asked once thawed', async () => {
    mariaDb.freeze();
    const answer = query('SELECT 7 AS seven');
    const silence = new Promise((resolve) => { setTimeout(resolve, 200, 'silence'); });
    expect(await Promise.race([answer, silence])).toBe('silence');
    mariaDb.thaw();
    expect(await answer).toEqual([{ seven: 7 }]);
  });

  test('lets nobody in without its password, and lives in UTC', async () => {
    const { host, port } = mariaDb;
    await expect(createConnection({ host, port, user: 'root' })).rejects.toThrow('Access denied');
    expect(await query('SELECT @@session.time_zone AS zone')).toEqual([{ zone: '+00:00' }]);
  });
});

describe('a Redis of the test\'s own', () => {
  test('keeps over a kill what it acknowledged, when it is append-only, until it is restarted empty', async () => {
    const server = await startRedis({ appendOnly: true });
    const client = new Redis(server.url);
    client.on('error', () => { /* The kill below is meant to break its connection. */ });
    await client.set('key', 'value');
    await server.kill();
    await server.restart();
    expect(await client.get('key')).toBe('value');
    await server.restart({ empty: true });
    expect(await client.get('key')).toBeNull();
    client.disconnect();
    await server.remove();
    expect(existsSync(server.dataFolder)).toBe(false);
  });

  test('ends with the process that started it, even when that one is killed', async () => {
    const stores = JSON.stringify(new URL('stores.ts', import.meta.url).href);
    const script = `const { startRedis } = await import(${stores}); const { pid, dataFolder } = await startRedis(); console.log(JSON.stringify({ pid, dataFolder })); process.stdin.resume()`;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [line] = await once(owner.stdout, 'data') as [Buffer];
    const { pid, dataFolder } = JSON.parse(line.toString()) as { pid: number; dataFolder: string };
    owner.kill('SIGKILL');
    await vi.waitFor(() => { expect(() => process.kill(pid, 0)).toThrow('ESRCH'); }, { timeout: 5_000 });
    await vi.waitFor(() => { expect(existsSync(dataFolder)).toBe(false); }, { timeout: 5_000 });
  });
});

test('two databases of the shared server have the tables of the baseline and nothing in common', async () => {
  const [one, other] = await Promise.all([createDatabase(), createDatabase()]);
  const insert = 'INSERT INTO tsxwho (ownerid, tokenurl, defaultconnectionresettime, isvalid) VALUES (?, ?, ?, 1)';
  await (await one.connect()).query(insert, ['owner', 'https://localhost/token', 1_000]);
  const [rows] = await (await other.connect()).query('SELECT * FROM tsxwho');
  expect(rows).toEqual([]);
  await Promise.all([one.drop(), other.drop()]);
});
