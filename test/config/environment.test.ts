import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import type { Config } from '../../src/config/config.ts';
import { keyNodes } from '../../src/config/keys.ts';
import { loadConfig } from '../../src/config/load.ts';

const fixture = join(import.meta.dirname, 'fixtures', 'java-1.1.8.yml');
const key = Buffer.alloc(32, 1).toString('base64');
const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'environment-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function fileWith(content: string): string {
  const path = join(folder, `file-${Math.random()}`);
  writeFileSync(path, content);
  return path;
}

function load(environment: Record<string, string>): Config {
  return loadConfig(fixture, environment);
}

const settings: [name: string, text: string, expected: object][] = [
  ['REFRESH_WAKE_UP_LEAD_TIME', '9000', { refreshWakeUpLeadTime: 9_000 }],
  ['IS_MASTER', 'FALSE', { isMaster: false }],
  ['REFRESH_JITTER', '.25', { refresh: { jitter: 0.25 } }],
  ['RETRY_RESPONSE_CODES', '429, 503', { retryResponseCodes: [429, 503] }],
  ['DATABASE_USER', 'service', { database: { user: 'service' } }],
  ['DATABASE_URL', 'jdbc:mysql://db:3307/pool?sslMode=VERIFY_IDENTITY', { database: { host: 'db', port: 3307, schema: 'pool', tls: 'verify-identity' } }],
  ['DATABASE_CA', pem, { database: { ca: pem } }],
  ['TSL_MAIL_CONFIG_IS_STARTTLS_ENABLE', 'false', { tslMailConfig: { isStarttlsEnable: false } }],
  ['TOKEN_READRETR_AFTER', '500', { tokenReadretrAfter: 500 }],
  ['SERVER_APPLICATION_CONNECTORS_0_PORT', '9000', { server: { applicationConnectors: [{ port: 9000, bindHost: 'localhost' }] } }],
  ['SERVER_APPLICATION_CONNECTORS_1_PORT', '9001', { server: { applicationConnectors: [{ port: 8181 }, { port: 9001 }] } }],
  ['SERVER_ADMIN_CONNECTORS', '[{"port": 9002}, {"port": 9003}]', { server: { adminConnectors: [{ port: 9002 }, { port: 9003 }] } }],
  ['LOGGING_LOGGERS', '{"pool.refresh": "TRACE"}', { logging: { loggers: { 'pool.refresh': 'TRACE' } } }],
  ['LOGGING_APPENDERS_1_ARCHIVED_FILE_COUNT', '50', { logging: { appenders: [{}, { archivedFileCount: 50 }] } }],
  ['REDIS', '{"cluster": [{"host": "a"}, {"host": "b", "port": 7000}]}', { redis: { cluster: [{ host: 'a', port: 6379 }, { host: 'b', port: 7000 }] } }],
  ['REDIS_TLS', 'true', { redis: { tls: {} } }],
  ['REDIS_TLS_CA', pem, { redis: { tls: { ca: pem } } }],
  ['REDIS_URL', 'rediss://cache.example/3', { redis: { url: 'rediss://cache.example:6379', db: 3, tls: {} } }],
  ['SEALING_KEYS_0', `{"id": "k", "key": "${key}"}`, { sealing: { activeKey: 'k' } }],
  ['WAITING_TIME_FOR_TOKEN', '1_000', { waitingTimeForToken: 1_000 }],
];

test.each(settings)('TOKENPOOL_%s set to %s holds over the file', (name, text, expected) => {
  expect(load({ [`TOKENPOOL_${name}`]: text })).toMatchObject(expected);
});

test.each(settings)('TOKENPOOL_%s_FILE reads %s from a file, without the line break at its end', (name, text, expected) => {
  expect(load({ [`TOKENPOOL_${name}_FILE`]: fileWith(`${text}\n`) })).toMatchObject(expected);
});

test.each([
  ['DATABASE_PASSWORD', (config: Config) => config.database.password],
  ['TSL_MAIL_CONFIG_PASSWORD', (config: Config) => config.tslMailConfig.password],
  ['REDIS_PASSWORD', (config: Config) => config.redis.password],
])('TOKENPOOL_%s, and the file it names, give a password unchanged', (name, held) => {
  const password = ' 0x1F: "{#}" \\n é \n';
  expect(held(load({ [`TOKENPOOL_${name}`]: password }))?.reveal()).toBe(password);
  expect(held(load({ [`TOKENPOOL_${name}_FILE`]: fileWith(`${password}\n`) }))?.reveal()).toBe(password);
});

test('a sealing key comes from the environment, from a file the environment names, and from a file the configuration names', () => {
  for (const environment of [{ TOKENPOOL_SEALING_KEYS_0_KEY: key }, { TOKENPOOL_SEALING_KEYS_0_KEY_FILE: fileWith(`${key}\n`) }]) {
    expect(load({ TOKENPOOL_SEALING_KEYS_0_ID: 'k', ...environment }).sealing.keys[0]?.key.reveal()).toBe(key);
  }
  const config = fileWith(`sealing: { keys: [{ id: k, keyFile: ${fileWith(key)} }] }`);
  expect(loadConfig(config, {}).sealing.keys[0]?.key.reveal()).toBe(key);
});

test('an empty variable means the default, also over a value of the file', () => {
  const config = load({ TOKENPOOL_RETRY_ATTEMPT: '', TOKENPOOL_LOGGING_APPENDERS: '' });
  expect(config.retryAttempt).toBe(10_000);
  expect(config.logging.appenders).toMatchObject([{ type: 'console' }]);
});

test('TLS to Redis is asked for by its URL, by a word, or by its keys', () => {
  expect(load({ TOKENPOOL_REDIS_URL: 'rediss://cache' }).redis.tls).toEqual({});
  expect(load({ TOKENPOOL_REDIS_TLS: 'true' }).redis.tls).toEqual({});
  expect(load({ TOKENPOOL_REDIS_TLS: 'false' }).redis.tls).toBeUndefined();
  expect(load({ TOKENPOOL_REDIS_TLS: 'true', TOKENPOOL_REDIS_TLS_SERVERNAME: 'cache' }).redis.tls).toMatchObject({ servername: 'cache' });
});

test('user and password of their own keys hold over those of a URL', () => {
  const urls = { TOKENPOOL_DATABASE_URL: 'jdbc:mysql://u:p@db/x', TOKENPOOL_REDIS_URL: 'redis://u:p@cache/1' };
  const logins = ({ database, redis }: Config) => [database.user, database.password.reveal(), redis.username, redis.password?.reveal(), redis.db];
  expect(logins(loadConfig(undefined, urls))).toEqual(['u', 'p', 'u', 'p', 1]);
  const own = { TOKENPOOL_DATABASE_USER: 'a', TOKENPOOL_DATABASE_PASSWORD: 'b', TOKENPOOL_REDIS_USERNAME: 'c', TOKENPOOL_REDIS_PASSWORD: 'd', TOKENPOOL_REDIS_DB: '0' };
  expect(logins(loadConfig(undefined, { ...urls, ...own }))).toEqual(['a', 'b', 'c', 'd', 0]);
});

test('a whole list is set before its parts', () => {
  const config = load({ TOKENPOOL_SERVER_ADMIN_CONNECTORS_1_PORT: '9009', TOKENPOOL_SERVER_ADMIN_CONNECTORS: '[{"port":9002},{"port":9003,"bindHost":"::1"}]' });
  expect(config.server.adminConnectors).toMatchObject([{ port: 9002 }, { port: 9009, bindHost: '::1' }]);
});

test('TOKENPOOL_CONFIG names the file where the command line does not', () => {
  const other = fileWith('retryAttempt: 77');
  expect(loadConfig(undefined, { TOKENPOOL_CONFIG: other }).retryAttempt).toBe(77);
  expect(loadConfig(fixture, { TOKENPOOL_CONFIG: other }).retryAttempt).toBe(4);
});

test('variables of others are not looked at', () => {
  expect(load({ PATH: '/bin', DATABASE_PASSWORD: 'x', MYTOKENPOOL_X: '1' })).toMatchObject({ database: { user: 'root' } });
});

test.each([
  [{ TOKENPOOL_DATABASE_PASWORD: 's3cr3t' }, 'TOKENPOOL_DATABASE_PASWORD: unknown name; did you mean "TOKENPOOL_DATABASE_PASSWORD"?'],
  [{ TOKENPOOL_SERVER_ADMIN_CONNECTORS_0_PROT: '1' }, 'TOKENPOOL_SERVER_ADMIN_CONNECTORS_0_PROT: unknown name; did you mean "TOKENPOOL_SERVER_ADMIN_CONNECTORS_0_PORT"?'],
  [{ TOKENPOOL_XYZZY: '1' }, 'TOKENPOOL_XYZZY: unknown name'],
  [{ TOKENPOOL_CLUSTER_LEASE_TIME: '5' }, 'cluster.leaseTime: found "5"; allowed: whole number, 1000 to 60000 ms (from TOKENPOOL_CLUSTER_LEASE_TIME)'],
  [{ TOKENPOOL_LOGGING_LEVEL_FILE: '/nowhere/x' }, 'TOKENPOOL_LOGGING_LEVEL_FILE: found "/nowhere/x", which cannot be read (ENOENT); allowed: path of a readable file'],
  [{ TOKENPOOL_REDIS_SENTINELS: '[{"host": ' }, 'TOKENPOOL_REDIS_SENTINELS: found a value that is not shown; allowed: JSON'],
  [{ TOKENPOOL_REDIS_CLUSTER: '{"host": "a"}' }, 'redis.cluster: found a section; allowed: a list (from TOKENPOOL_REDIS_CLUSTER)'],
  [{ TOKENPOOL_REDIS: '{"hots": "a"}' }, 'redis.hots: unknown key; allowed: url, sentinels, masterName, sentinelUsername, sentinelPassword, cluster, username, password, db, tls, keyPrefix (from TOKENPOOL_REDIS)'],
  [{ TOKENPOOL_CLUSTER_PORT: '7000' }, 'TOKENPOOL_CLUSTER_PORT: unknown name'],
  [{ TOKENPOOL_SERVER_ADMIN_CONNECTORS_4_PORT: '1' }, 'TOKENPOOL_SERVER_ADMIN_CONNECTORS_4_PORT: leaves out an item of the list; allowed: numbers from 0 on, without a gap'],
])('the environment %o is a fault', (environment, expected) => {
  expect(() => load(environment as Record<string, string>)).toThrow(`The configuration has a fault:\n  ${expected}`);
});

test('a value and a file for the same key are a fault', () => {
  expect(() => load({ TOKENPOOL_DATABASE_PASSWORD: 'a', TOKENPOOL_DATABASE_PASSWORD_FILE: fileWith('b') })).toThrow(/found beside TOKENPOOL_DATABASE_PASSWORD(_FILE)?; allowed: one of them/);
});

test('what Kubernetes says of Services named tokenpool is ignored with a warning', () => {
  const links = {
    TOKENPOOL_SERVICE_HOST: '10.0.0.1', TOKENPOOL_SERVICE_PORT: '8181', TOKENPOOL_SERVICE_PORT_HTTP: '8181', TOKENPOOL_PORT: 'tcp://10.0.0.1:8181',
    TOKENPOOL_PORT_8181_TCP: 'tcp://10.0.0.1:8181', TOKENPOOL_PORT_8181_TCP_PROTO: 'tcp', TOKENPOOL_PORT_8181_TCP_PORT: '8181', TOKENPOOL_PORT_8181_TCP_ADDR: '10.0.0.1',
    TOKENPOOL_REDIS_SERVICE_HOST: '10.0.0.2', TOKENPOOL_REDIS_PORT_6379_TCP: 'tcp://10.0.0.2:6379',
  };
  const { warnings } = load(links);
  expect(warnings.filter((warning) => warning.endsWith('set by Kubernetes for a Service; ignored'))).toHaveLength(Object.keys(links).length);
});

test('every place has an environment name of its own', () => {
  const names = keyNodes.map(({ environment }) => environment);
  expect(new Set(names).size).toBe(names.length);
  const taken = names.filter((name) => name.endsWith('_FILE') && names.includes(name.slice(0, -'_FILE'.length)));
  expect(taken).toEqual(['TOKENPOOL_SEALING_KEYS_<n>_KEY_FILE']);
});
