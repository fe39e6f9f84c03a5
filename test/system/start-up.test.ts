import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';

import { runScript, withSchema } from '../harness/baseline.ts';
import { startNode } from '../harness/node-process.ts';
import type { NodeOptions, NodeProcess } from '../harness/node-process.ts';
import { freePort } from '../harness/ports.ts';
import { migrations, readScript } from '../mysql/fixtures/scripts.ts';
import { call, refresh, tokenOf } from './caller.ts';
import { soon, useScene } from './scene.ts';

const fixtures = join(import.meta.dirname, '..');
/** A start is a matter of a second or two; of many more on a machine that is busy. */
const start = { timeout: 30_000, interval: 50 };

const scene = useScene({ nodes: [], prepare: () => Promise.resolve() });

interface End {
  readonly code: number | null;
  readonly output: string;
}

/** How a start ends that cannot succeed. */
async function endOf(options: NodeOptions): Promise<End> {
  const node = await startNode(options);
  const { code } = await node.exited;
  return { code, output: node.output() };
}

function configWith(over: Readonly<Record<string, unknown>>): NodeOptions {
  return { config: scene.configOf(1, over) };
}

async function inDatabase(name: string, fill: (schema: string) => Promise<void>): Promise<string> {
  const { host, port, user, password } = scene.stores.mariaDb;
  const connection = await createConnection({ host, port, user, password });
  await connection.query(`CREATE DATABASE ${name}`);
  connection.destroy();
  await fill(name);
  return scene.stores.mariaDb.jdbcUrl(name);
}

/** The tables of version 1.0.1 of the service, with rows. */
async function loadOldest(schema: string): Promise<void> {
  for (const name of ['schema-1.0.1.sql', 'rows-1.0.1.sql']) await runScript(scene.stores.mariaDb, await readFile(join(fixtures, 'mysql/fixtures', name), 'utf8'), schema);
}

describe('a start that cannot succeed', () => {
  it('without a valid owner says TPS0006 in the words of the first version', async () => {
    expect(await endOf(configWith({}))).toMatchObject({ code: 1, output: expect.stringMatching(/^Unable to start the server\. TPS0006:No Valid token owner defined at the db$/m) as string });
    await scene.addOwner({ ownerId: 'not valid any more' });
    await scene.stores.query('UPDATE tsxwho SET isvalid = 0');
    expect(await endOf(configWith({}))).toMatchObject({ code: 1, output: expect.stringContaining('TPS0006') as string });
  });

  it('on a schema of an older version names the scripts to run', async () => {
    const url = await inDatabase('very_old', loadOldest);
    const { code, output } = await endOf(configWith({ database: { url } }));
    expect(code).toBe(1);
    expect(output).toContain('Unable to start the server. The database is at schema 1.0.1; this version needs 2.0.0. Run dbscripts/migration1_0_1to1_1_5.sql, then dbscripts/migration1_1_7to1_1_8.sql, then dbscripts/migration1_1_8to2_0_0.sql, and start again.');
  });

  it('on an empty schema, or none, names the script that makes one', async () => {
    const url = await inDatabase('nothing_here', () => Promise.resolve());
    expect((await endOf(configWith({ database: { url } }))).output).toContain('Run dbscripts/baseline.sql, and start again.');
    const { code, output } = await endOf(configWith({ database: { url: scene.stores.mariaDb.jdbcUrl('not_there') } }));
    expect({ code, output }).toMatchObject({ code: 1, output: expect.stringMatching(/There is no such database.*baseline\.sql/) as string });
  });

  it('with a wrong password of the database says so, without the password', async () => {
    const { code, output } = await endOf(configWith({ database: { password: 'not-the-right-one' } }));
    expect({ code, output }).toMatchObject({ code: 1, output: expect.stringMatching(/refused the log-in.*database\.user and database\.password/) as string });
    expect(output).not.toContain('not-the-right-one');
  });

  it('with a broken configuration names every fault at once, and nothing is started', async () => {
    const faults = { retryAttempts: 5, waitingTimeForToken: 'soon', cluster: { leaseTime: 5 }, refresh: { concurency: 3 }, database: { url: 'mysql://no' }, tslMailConfig: { password: 'hidden-from-view', port: -1 } };
    const { code, output } = await endOf(configWith(faults));
    expect(code).toBe(2);
    for (const name of ['retryAttempts', 'waitingTimeForToken', 'cluster.leaseTime', 'refresh.concurency', 'database.url', 'tslMailConfig.port']) expect(output).toContain(`  ${name}: `);
    expect(output).toContain('did you mean "concurrency"?');
    expect(output).not.toMatch(/hidden-from-view|The service starts/);
  });

  it('on a port in use says which', async () => {
    await scene.addOwner({ ownerId: 'somebody' });
    const other = createServer().listen(0, '127.0.0.1');
    await expect.poll(() => other.listening, soon).toBe(true);
    const { port } = other.address() as AddressInfo;
    const { code, output } = await endOf(configWith({ server: { applicationConnectors: [{ port }] } }));
    expect(code).toBe(1);
    expect(output).toMatch(new RegExp(`^Unable to start the server\\..*${port}.*in use`, 'm'));
    other.close();
  });
});

describe('an installation of the Java service', () => {
  it('is taken over with its database, once migrated, and its config.yml as it is', async () => {
    const url = await inDatabase('old_service', async (schema) => {
      await loadOldest(schema);
      for (const script of migrations) await runScript(scene.stores.mariaDb, withSchema(await readScript(script), schema), schema);
      await runScript(scene.stores.mariaDb, manualsInserts(scene.provider.tokenUrl), schema);
    });
    const node = await startNode({ configPath: await javaConfig(url), env: { TOKENPOOL_REDIS_URL: scene.stores.redis.url, TOKENPOOL_REDIS_KEY_PREFIX: 'old', TOKENPOOL_JOURNAL_FOLDER: join(scene.stores.redis.dataFolder, 'journal-old') } });
    scene.nodes.push(node);
    await node.waitReady();
    expect(await tokenOf(node, 'owner3')).toMatchObject({ status: 200, body: 'the-token-of-the-manual' });
    expect((await tokenOf(node, 'owner1')).body).toBe('TPS0005:NO pool entry for this Owner');
    expect(await node.stop()).toBe(0);
  });

  /** As they stand in the manual of version 1.1.8, with values put in. */
  function manualsInserts(tokenUrl: string): string {
    return [
      `INSERT INTO \`tsxwho\` (\`ownerid\`, \`tokenurl\`, \`defaultconnectionresettime\`, \`isvalid\`, \`reattmptcount\`, \`retrymax\`, \`retrydelay\` ) VALUES ('owner3', '${tokenUrl}', '4000', 1, 0, 5, 20000);`,
      "insert into tsttoken ( tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken , isvalid ) values ((SELECT tsxwhodid FROM tsxwho WHERE ownerid = 'owner3'), 'YTpi', 3600000, 'the-token-of-the-manual', 'its-refresh-token',1);",
      'insert into tstemail ( idtstemail, tsxwhodid, tstmailaddr) values (1, 1, "ops@example.com");',
    ].join('\n');
  }

  async function javaConfig(url: string): Promise<string> {
    const folder = join(scene.stores.redis.dataFolder, 'java');
    await mkdir(folder);
    const { user, password } = scene.stores.mariaDb;
    const [port, adminPort] = [await freePort(), await freePort()];
    const places: [string, string][] = [
      ['jdbc:mysql://127.0.0.1/token_service?useSSL=false', url],
      ['user: root', `user: ${user}`],
      ['password: root', `password: "${password}"`],
      ['8181', String(port)],
      ['8282', String(adminPort)],
      ['log/token_service', join(folder, 'token_service')],
    ];
    const text = await readFile(join(fixtures, 'config/fixtures/java-1.1.8.yml'), 'utf8');
    await writeFile(join(folder, 'config.yml'), places.reduce((config, [from, to]) => config.replaceAll(from, to), text));
    return join(folder, 'config.yml');
  }
});

describe('a start while a store is away', () => {
  it('waits for the database, and goes on when it comes', async () => {
    await scene.stores.mariaDb.stop();
    const node = await startOne();
    await expect.poll(() => node.output(), start).toContain('The database does not answer');
    expect(await node.isReady()).toBe(false);
    await scene.stores.mariaDb.restart();
    await node.waitReady();
    expect((await tokenOf(node, 'somebody')).status).toBe(200);
    await node.stop();
  });

  it('gives a database that does not come up after startup.storeTimeout', async () => {
    const { code, output } = await endOf(configWith({ database: { url: 'jdbc:mysql://127.0.0.1:1/token_service' }, startup: { storeTimeout: 300 } }));
    expect({ code, output }).toMatchObject({ code: 1, output: expect.stringMatching(/^Unable to start the server\. mysql is unavailable/m) as string });
  });

  it('does not wait for Redis: callers are served from the database, and refreshes go on', async () => {
    await scene.stores.redis.stop();
    const owner = await scene.addOwner({ ownerId: 'without Redis' });
    const node = await startOne();
    await node.waitReady();
    expect(await tokenOf(node, owner.id)).toMatchObject({ status: 200, body: owner.grant.accessToken });
    expect(await call('GET', `${node.adminUrl}/healthcheck`)).toMatchObject({ status: 500, body: expect.stringContaining('"mysql":{"healthy":true}') as string });
    await expect.poll(async () => (await refresh(node, owner.id, owner.grant.accessToken)).status, { timeout: 20_000, interval: 300 }).toBe(200);
    expect((await tokenOf(node, owner.id)).body).toBe(scene.provider.newest(owner.grant.grantId)!.accessToken);
    await scene.stores.redis.restart();
    await expect.poll(async () => (await call('GET', `${node.adminUrl}/healthcheck`)).status, start).toBe(200);
    expect((await tokenOf(node, owner.id)).body).toBe(scene.provider.newest(owner.grant.grantId)!.accessToken);
    await node.stop();
  }, 60_000);

  it('on a Redis that evicts keys says so as an ERROR, and works', async () => {
    const redis = new Redis(scene.stores.redis.url);
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    redis.disconnect();
    const node = await startOne();
    await node.waitReady();
    expect(node.output()).toMatch(/"level":"ERROR".*maxmemory-policy allkeys-lru/);
    expect((await tokenOf(node, 'somebody')).status).toBe(200);
    await node.stop();
  });
});

describe('the end', () => {
  it('of an idle master comes within moments of SIGTERM, with exit code 0, and says farewell in its log', async () => {
    const node = await startOne();
    await node.waitReady();
    await scene.master();
    const begun = performance.now();
    expect(await node.stop()).toBe(0);
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(node.output()).toContain('The service stops');
  });

  it('comes while it still waits for the database, too', async () => {
    const node = await startNode(configWith({ database: { url: 'jdbc:mysql://127.0.0.1:1/token_service' } }));
    await expect.poll(() => node.output(), start).toContain('The database does not answer');
    const begun = performance.now();
    await node.stop();
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  it('lets a refresh under way come to its end, and its caller have the token', async () => {
    const node = await startOne();
    await node.waitReady();
    await scene.master();
    const owner = await scene.addOwner({ ownerId: 'under way' });
    scene.provider.next({ kind: 'hang' }, { grantId: owner.grant.grantId });
    const asked = refresh(node, owner.id, owner.grant.accessToken);
    await expect.poll(() => scene.provider.account.presentations.some(({ grantId }) => grantId === owner.grant.grantId), soon).toBe(true);
    const ended = node.stop();
    await expect.poll(() => node.output(), soon).toContain('This node is no longer master');
    scene.provider.release();
    expect(await asked).toMatchObject({ status: 200, body: scene.provider.newest(owner.grant.grantId)!.accessToken });
    expect(await ended).toBe(0);
    expect((await scene.validRows(owner.did)).map(({ accesstoken }) => accesstoken)).toEqual([scene.provider.newest(owner.grant.grantId)!.accessToken]);
  });

  it('leaves no process behind, and callers who wait an answer', async () => {
    const owner = await scene.addOwner({ ownerId: 'waits', row: { tokenUrl: 'http://127.0.0.1:1/token', expiresInMs: 1 }, retryMax: 0 });
    const node = await startOne({ http: { shutdownGrace: 500 } });
    await node.waitReady();
    const waiting = tokenOf(node, owner.id).then(({ body }) => body, (error: unknown) => String((error as NodeJS.ErrnoException).code));
    await expect.poll(async () => (await call('GET', `${node.adminUrl}/metrics`)).body, soon).toMatch(/waiting\S* 1\b/);
    expect(await node.stop()).toBe(0);
    expect(await waiting).toMatch(/^TPS0005|ECONNRESET/);
  });
});

async function startOne(over: Readonly<Record<string, unknown>> = {}): Promise<NodeProcess> {
  const node = await startNode(configWith(over));
  scene.nodes.push(node);
  return node;
}
