import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { longestStopMs } from '../../src/assembly/settings.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Secret } from '../../src/domain/secret.ts';
import { helm, readChartFile, render, renderAnew, scenarios, withoutHelm } from './chart.ts';
import type { Rendered } from './chart.ts';
import { environmentOf, inFolder, layOut, pem } from './pod-files.ts';
import { nodePod, podsOf } from './pods.ts';

const patience = 60_000;
const made: string[] = [];
afterAll(() => { for (const folder of made) rmSync(folder, { recursive: true }); });

/** Lays the files of a node out in a folder, as the kubelet would, and reads the settings as the node does there. */
function startedWith(objects: readonly Rendered[]): Config {
  const folder = mkdtempSync(join(tmpdir(), 'tps-pod-'));
  made.push(folder);
  const { spec } = nodePod(objects);
  layOut(objects, spec, folder);
  const config = join(folder, '/etc/token-pool-service/config.yml');
  writeFileSync(config, inFolder(readFileSync(config, 'utf8'), folder));
  const environment = environmentOf(spec.containers[0]!, folder);
  expect(environment['TOKENPOOL_CONFIG']).toBe(config);
  return loadConfig(undefined, environment);
}

describe.skipIf(helm === undefined)(`the settings that a node finds${withoutHelm}`, () => {
  test.each(scenarios)('are without a fault in the scenario %s', async (scenario) => {
    const config = startedWith(await render(scenario));
    expect(config.warnings.filter((warning) => !warning.startsWith('sealing.keys'))).toEqual([]);
    expect(config.journal.folder).toBe(`${made.at(-1)!}/var/lib/token-pool-service/journal`);
  }, patience);

  test.each(scenarios)('let it end in order before it is killed, in the scenario %s', async (scenario) => {
    const objects = await render(scenario);
    const given = nodePod(objects).spec.terminationGracePeriodSeconds! * 1_000;
    const needed = longestStopMs(startedWith(objects));
    expect([given - needed >= 1_000, given - needed <= 3_000]).toEqual([true, true]);
  }, patience);

  test('give way to a time that the values name', async () => {
    expect(nodePod(await render('default-minimal')).spec.terminationGracePeriodSeconds).toBe(60);
    expect(nodePod(await render('default-minimal', '--set', 'terminationGracePeriodSeconds=300')).spec.terminationGracePeriodSeconds).toBe(300);
  });

  test('are those of the values', async () => {
    const { config: wanted } = parse(readChartFile('ci/everything-on-values.yaml')) as { config: Record<string, unknown> };
    const config = startedWith(await render('everything-on'));
    expect(config).toMatchObject({ ...wanted, database: {}, retryResponseCodes: [425, 503], logging: { level: 'INFO', loggers: { 'pool.refresh': 'DEBUG' }, appenders: [{ timeZone: 'Asia/Colombo' }] } });
    expect(config.database).toMatchObject({ host: 'mysql.stores', port: 3306, schema: 'token_service', user: 'tokenpool', tls: 'preferred', connectionLimit: 20, queryTimeout: 1500 });
    expect(config.redis).toMatchObject({ url: 'redis://redis.stores:6379', username: 'tokens', keyPrefix: 'tokens', tls: {} });
  }, patience);

  test('have every secret, byte for byte', async () => {
    const config = startedWith(await render('everything-on'));
    const secrets = [config.database.password, config.redis.password, config.tslMailConfig.password].map((secret) => secret?.reveal());
    expect(secrets).toEqual([`odd "password" with \\ and # and ' in it`, 'sample-redis-password', 'sample-mail-password']);
    expect(config.sealing.keys.map(({ id, key }) => [id, key.reveal()])).toEqual([['2026', 'c2FtcGxlIG9mIGEga2V5LCAzMiBieXRlcyBsb25nLi4=']]);
  }, patience);

  test('have Sentinel, Cluster and a URL from a Secret', async () => {
    expect(startedWith(await render('sentinel')).redis).toMatchObject({ sentinels: [{ host: 'sentinel-0.stores', port: 26379 }, {}, {}], masterName: 'mymaster', sentinelUsername: 'watcher', username: 'tokens', db: 3 });
    expect(startedWith(await render('cluster')).redis).toMatchObject({ cluster: [{ host: 'redis-0.stores', port: 6379 }, { host: 'redis-1.stores', port: 6379 }, { port: 6380 }], keyPrefix: 'tokens:eu' });
    expect(startedWith(await render('existing-secrets')).redis).toMatchObject({ url: 'rediss://redis.example.com:6380', username: 'tokens', db: 2, tls: {} });
  }, patience);

  test('have the certificates and authorities of the scenario tls', async () => {
    const { server, database, redis, refresh } = startedWith(await render('tls'));
    expect(server).toMatchObject({ applicationConnectors: [{ type: 'https', port: 8181 }], adminConnectors: [{ type: 'https', port: 8282 }] });
    expect(database).toMatchObject({ tls: 'verify-identity', port: 3307, ca: pem('stores-ca/ca.crt') });
    expect(redis).toMatchObject({ url: 'rediss://redis.example.com:6380', db: 1, tls: { ca: pem('redis-ca/root.pem'), cert: pem('redis-client/tls.crt'), servername: 'redis.internal' } });
    expect((redis.tls as { key?: Secret } | undefined)?.key?.reveal()).toBe(pem('redis-client/tls.key'));
    expect(refresh.caFile).toMatch(/token-endpoints-ca\.crt$/);
  }, patience);
});

describe.skipIf(helm === undefined)(`secrets${withoutHelm}`, () => {
  test.each(scenarios)('stand in Secrets alone in the scenario %s', async (scenario) => {
    const objects = await render(scenario);
    const values = objects.filter(({ kind }) => kind === 'Secret').flatMap(({ data = {} }) => Object.values(data).map((text) => Buffer.from(text, 'base64').toString()));
    const secrets = values.flatMap((value) => [value, ...value.split(/\s+/)]).filter((value) => value.length >= 16);
    const others = JSON.stringify(objects.filter(({ kind }) => kind !== 'Secret'));
    for (const secret of secrets.filter((one) => !/^(INSERT|VALUES|\('|maxmemory|def)/.test(one))) {
      expect(others.includes(JSON.stringify(secret).slice(1, -1)) || others.includes(Buffer.from(secret).toString('base64')), 'a secret outside a Secret').toBe(false);
    }
    if (['sentinel', 'everything-on', 'try-out'].includes(scenario)) expect(secrets.length).toBeGreaterThan(2);
  }, patience);

  test.each(scenarios)('reach a container by a file and never by a variable in the scenario %s', async (scenario) => {
    for (const { owner, spec } of podsOf(await render(scenario))) {
      for (const { name, value = '' } of spec.containers.flatMap(({ env = [] }) => env)) {
        if (/PASSWORD|SECRET|KEY|REDIS_URL/.test(name)) expect([name, value], owner.source).toEqual([expect.stringMatching(/_FILE$/), expect.stringMatching(/^(\/run\/secrets\/[\w/-]+)?$/)]);
      }
    }
  }, patience);

  test('are none of the chart where others make them', async () => {
    expect((await render('existing-secrets')).filter(({ kind }) => kind === 'Secret')).toEqual([]);
  });

  test('of the stores that are brought along are made up anew for each installation, and long', async () => {
    const passwords = async (): Promise<string[]> => (await renderAnew('try-out')).filter(({ kind }) => kind === 'Secret').map(({ data }) => Buffer.from(data!['password']!, 'base64').toString());
    const [first, second] = [await passwords(), await passwords()];
    expect(new Set([...first, ...second]).size).toBe(4);
    for (const password of first) expect(password).toMatch(/^\w{32}$/);
  }, patience);
});
