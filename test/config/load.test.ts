import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { ConfigError } from '../../src/config/faults.ts';
import { loadConfig } from '../../src/config/load.ts';

const fixture = (name: string): string => join(import.meta.dirname, 'fixtures', name);

const sealingKey = Buffer.alloc(32, 7).toString('base64');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function file(yaml: string): string {
  const path = join(folder, 'config.yml');
  writeFileSync(path, yaml);
  return path;
}

function faultsOf(yaml: string): string[] {
  try {
    loadConfig(file(yaml), {});
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(({ path, problem }) => `${path}: ${problem}`);
    throw error;
  }
  return [];
}

test('the file of the old service loads unchanged', () => {
  const config = loadConfig(fixture('java-1.1.8.yml'), {});
  expect(config.database).toMatchObject({ host: '127.0.0.1', port: 3306, schema: 'token_service', tls: 'disabled', user: 'root' });
  expect(config.database.password.reveal()).toBe('root');
  expect(config.server).toEqual({
    applicationConnectors: [{ type: 'http', port: 8181, bindHost: 'localhost', certificateFile: undefined, keyFile: undefined }],
    adminConnectors: [{ type: 'http', port: 8282, bindHost: undefined, certificateFile: undefined, keyFile: undefined }],
  });
  expect(config).toMatchObject({
    waitingTimeForToken: 400, retryAttempt: 4, isMaster: true, tokenReadretrAttempts: 3, tokenReadretrAfter: 120_000,
    refreshWakeUpLeadTime: 5_000, retryResponseCodes: [500, 502, 503],
    tslMailConfig: { host: undefined, port: 587, username: undefined, password: undefined, isStarttlsEnable: true, isAuth: true, from: undefined },
  });
  expect(config.logging).toEqual({
    level: 'INFO',
    loggers: { 'io.dropwizard': 'INFO', 'com.wso2telco': 'DEBUG' },
    appenders: [
      { type: 'console', threshold: 'ALL', timeZone: 'UTC', target: 'stdout', logFormat: undefined },
      {
        type: 'file', threshold: 'ALL', timeZone: 'UTC', logFormat: undefined, currentLogFilename: 'log/token_service.log',
        archive: true, archivedLogFilenamePattern: 'log/token_service-%d.log', archivedFileCount: 5,
      },
    ],
  });
  expect(config.warnings).toEqual([
    'database.driverClass: a Dropwizard setting without a meaning here, ignored',
    'retryResponseCodes: a provider that answers 500 or 502 may have used the refresh token, which is presented again all the same; a provider that takes that for theft revokes the grant',
    'sealing.keys: there are none; tokens and client secrets stand in the database in the clear',
  ]);
});

test('settings of Dropwizard alone are accepted, ignored and named', () => {
  const config = loadConfig(fixture('dropwizard-settings.yml'), {});
  expect(config.database).toMatchObject({ host: 'db.example', port: 3307, tls: 'required', user: 'tokens' });
  expect(config.database.password.reveal()).toBe('0123');
  expect(config).toMatchObject({ waitingTimeForToken: 200, retryAttempt: 10_000, tokenReadretrAttempts: 3, tokenReadretrAfter: 60_000, isMaster: false });
  expect(config.logging).toMatchObject({ level: 'OFF', loggers: { 'com.wso2telco': 'TRACE' }, appenders: [{ type: 'file', timeZone: '+05:30' }] });
  const named = config.warnings.map((warning) => warning.split(':')[0]);
  expect(named).toEqual(expect.arrayContaining([
    'database.driverClass', 'database.maxSize', 'database.properties', 'server.type', 'server.requestLog', 'server.applicationConnectors[0].acceptorThreads',
    'server.adminConnectors[0].useForwardedHeaders', 'logging.appenders', 'logging.appenders[0].maxFileSize', 'metrics.frequency',
    'waitingTimeForToken', 'retryAttempt', 'tokenReadretrAttempts', 'tokenReadretrAfter',
  ]));
});

test('without a file and environment every key has its default', () => {
  const config = loadConfig(undefined, {});
  expect(config).toMatchObject({
    database: { host: 'localhost', port: 3306, schema: 'token_service', tls: 'preferred', user: 'root', connectionLimit: 10, queryTimeout: 2_000 },
    server: { applicationConnectors: [{ type: 'http', port: 8181 }], adminConnectors: [{ type: 'http', port: 8282 }] },
    waitingTimeForToken: 200, retryAttempt: 10_000, isMaster: true, tokenReadretrAttempts: 3, tokenReadretrAfter: 60_000, refreshWakeUpLeadTime: 5_000, retryResponseCodes: [],
    logging: { level: 'INFO', loggers: {}, appenders: [{ type: 'console', target: 'stdout' }] },
    redis: { url: 'redis://127.0.0.1:6379', db: 0, keyPrefix: 'tokenpool', tls: undefined },
    cluster: { leaseTime: 3_000, renewDeadline: 2_000, renewEvery: 500 },
    refresh: {
      concurrency: 50, requestTimeout: 10_000, connectTimeout: 3_000, jitter: 0.1, reconcileEvery: 1_000,
      defaultRetryMax: 10, defaultRetryDelay: 20_000, allowHttp: true,
    },
    sealing: { keys: [], activeKey: undefined },
    journal: { folder: 'journal' }, metrics: { ownerLabels: 100 }, http: { maxWaiting: 10_000, shutdownDelay: 5_000, shutdownGrace: 10_000 }, startup: { storeTimeout: 60_000 },
  });
  expect(config.cluster.nodeId).toMatch(/^[\w.-]+-[0-9a-f]{4}$/);
  expect(loadConfig(undefined, {}).cluster.nodeId).not.toBe(config.cluster.nodeId);
});

test('an empty file, and empty sections and values, mean the defaults', () => {
  const bare = loadConfig(undefined, { TOKENPOOL_CLUSTER_NODE_ID: 'n' });
  const empty = 'database:\nserver:\n  applicationConnectors:\nlogging:\n  level:\n  loggers:\n  appenders: ~\nredis:\n  tls:\n  url: ""\nsealing: null\nisMaster:\ncluster:\n  nodeId: n\n';
  expect(loadConfig(file('# nothing\n'), { TOKENPOOL_CLUSTER_NODE_ID: 'n' })).toEqual(bare);
  expect(loadConfig(file(empty), {})).toEqual(bare);
});

test('the result is frozen to the bottom', () => {
  const config = loadConfig(fixture('java-1.1.8.yml'), {});
  expect(() => Object.assign(config.database, { host: 'other' })).toThrow(TypeError);
  expect(() => Object.assign(config.server.applicationConnectors[0]!, { port: 1 })).toThrow(TypeError);
  expect(() => (config.warnings as string[]).push('x')).toThrow(TypeError);
});

test('every fault is named at once, with what was found and what is allowed', () => {
  const faults = faultsOf(`
database: { url: "postgres://db/x", connectionLimit: 0, pasword: hidden }
server: { applicationConnectors: [{ port: 70000 }, { type: htp }], adminConnectors: { port: 1 } }
isMaster: perhaps
retryResponseCodes: 500,5xx
logging: { level: LOUD, loggers: { http: loud }, appenders: [{ type: file, archivedFileCount: 51, timeZone: Mars/Base }] }
redis: { url: "http://cache" , keyPrefix: "{a}" }
cluster: { leaseTime: 3000, renewEvery: 1700 }
refresh: { jitter: 0.6, concurency: 5 }
quite_unknown: 1
`);
  expect(faults).toEqual([
    'database.url: found a value that is not shown, which is not of the form jdbc:mysql://host[:port]/schema?options; allowed: JDBC URL, `jdbc:mysql://host[:port]/schema?options`',
    'database.connectionLimit: found "0"; allowed: whole number, 1 to 1000',
    'database.pasword: unknown key; did you mean "password"?',
    'server.applicationConnectors[0].port: found "70000"; allowed: whole number, 0 to 65535',
    'server.applicationConnectors[1].type: found "htp"; allowed: http, https',
    'server.adminConnectors: found a section; allowed: a list',
    'isMaster: found "perhaps"; allowed: true or false',
    'retryResponseCodes: found "500,5xx"; allowed: HTTP status codes, 100 to 599, with commas between them',
    'logging.level: found "LOUD"; allowed: OFF, ERROR, WARN, INFO, DEBUG, TRACE, ALL',
    'logging.loggers.http: found "loud"; allowed: OFF, ERROR, WARN, INFO, DEBUG, TRACE, ALL',
    'logging.appenders[0].timeZone: found "Mars/Base"; allowed: IANA name (`Asia/Colombo`), offset (`GMT+5:30`) or `system`',
    'logging.appenders[0].archivedFileCount: found "51"; allowed: whole number, 1 to 50',
    'redis.url: found a value that is not shown, which is not of the form redis://host:port or rediss://host:port; allowed: URL, `redis[s]://[user:password@]host[:port][/db]`',
    'redis.keyPrefix: found "{a}"; allowed: 1 to 64 of A-Z a-z 0-9 _ . : -',
    'cluster.renewEvery: found "1700"; allowed with a leaseTime of 3000: at most 1666 ms, so that a renewal that is late still comes in time',
    'refresh.jitter: found "0.6"; allowed: number, 0 to 0.5',
    'refresh.concurency: unknown key; did you mean "concurrency"?',
    expect.stringMatching(/^quite_unknown: unknown key; allowed: database, server, /) as string,
  ]);
});

test('the error says how many faults there are, one line each', () => {
  expect(() => loadConfig(file('isMaster: x\nretryAttempt: y\n'), {})).toThrow(
    'The configuration has 2 faults:\n  retryAttempt: found "y"; allowed: whole number, 1 to 1000000\n  isMaster: found "x"; allowed: true or false',
  );
});

test.each([
  ['server: { applicationConnectors: [] }', ['server.applicationConnectors: found an empty list; allowed: one connector or more']],
  ['server: { adminConnectors: [{ port: 8181 }] }', ['server.adminConnectors[0].port: found 8181, which is also that of server.applicationConnectors[0]; allowed: a port of its own']],
  ['server: { applicationConnectors: [{ type: https, port: 8443, keyStorePath: example.jks }] }', [
    'server.applicationConnectors[0].certificateFile: missing, and type is https; allowed: path of a PEM file (a Java key store is not read)',
    'server.applicationConnectors[0].keyFile: missing, and type is https; allowed: path of a PEM file (a Java key store is not read)',
  ]],
  ['server: { applicationConnectors: [{ type: https, certificateFile: /nowhere/c.pem, keyFile: /nowhere/k.pem }] }', [
    'server.applicationConnectors[0].certificateFile: found "/nowhere/c.pem", which cannot be read (ENOENT); allowed: path of a readable file',
    'server.applicationConnectors[0].keyFile: found "/nowhere/k.pem", which cannot be read (ENOENT); allowed: path of a readable file',
  ]],
  ['logging: { appenders: [{ type: file }] }', [
    'logging.appenders[0].currentLogFilename: missing, and type is file; allowed: a path',
    'logging.appenders[0].archivedLogFilenamePattern: missing, and type is file; allowed: a path',
  ]],
  ['redis: { url: "redis://a", cluster: [{ host: b }] }', ['redis.url: found more than one of url, sentinels and cluster; allowed: one of them']],
  ['redis: { sentinels: [{ host: a }] }', ['redis.masterName: missing, and sentinels are given; allowed: name']],
  ['redis: { cluster: [{ host: a }], db: 2 }', ['redis.db: found 2; allowed: 0, since a Redis Cluster has no other']],
  ['redis: { tls: maybe }', ['redis.tls: found a value that is not shown; allowed: a section with keys of its own']],
  ['sealing: { keys: [{ id: a, key: AAAA }, { id: "b c", key: "" }, {}], activeKey: z }', [
    'sealing.keys[0].key: found a value that is not shown, which is 3 bytes long; allowed: base64 of 32 bytes',
    'sealing.keys[1].id: found "b c"; allowed: 1 to 32 of A-Z a-z 0-9 _ -',
    'sealing.keys[2].id: missing; allowed: 1 to 32 of A-Z a-z 0-9 _ -',
    'sealing.keys[2].key: missing, and keyFile too; allowed: base64 of 32 bytes in one of them',
  ]],
  [`sealing: { keys: [{ id: a, key: ${sealingKey} }, { id: a, key: ${sealingKey} }], activeKey: b }`, [
    'sealing.keys[1].id: found "a" a second time; allowed: an id of its own',
    'sealing.activeKey: found "b"; allowed: the id of one of the keys (a, a)',
  ]],
  ['cluster: { nodeId: "a b" }', ['cluster.nodeId: found "a b"; allowed: 1 to 64 of A-Z a-z 0-9 _ . -']],
  ['- a\n- b', [expect.stringMatching(/config\.yml: found no keys at its top level/) as string]],
  ['database: text', ['database: found a value that is not shown; allowed: a section with keys of its own']],
])('the file %s has exactly these faults', (yaml, faults) => {
  expect(faultsOf(yaml)).toEqual(faults);
});

test('a missing file and broken YAML are faults that show no content', () => {
  expect(() => loadConfig(join(folder, 'none.yml'), {})).toThrow(/none\.yml: the file cannot be read \(ENOENT\)/);
  const [fault = ''] = faultsOf('database:\n  user: a\n  password: *s3cr3t\n');
  expect(fault).toMatch(/config\.yml: not valid YAML/);
  expect(faultsOf('database:\n  password: "s3cr3t\n  url: [\n').join()).not.toContain('s3cr3t');
  expect(fault).not.toContain('s3cr3t');
});

test('a key that stands twice is warned of, and the last one holds', () => {
  const config = loadConfig(file('retryAttempt: 5\nretryAttempt: 6\n'), {});
  expect(config.retryAttempt).toBe(6);
  expect(config.warnings[0]).toMatch(/the key "retryAttempt" stands there a second time in line 2/);
});

test.each([
  ['refreshWakeUpLeadTime: 3999', /^refreshWakeUpLeadTime: 3999 ms is less than the 4000 ms/],
  ['{ refreshWakeUpLeadTime: 5000, cluster: { leaseTime: 4001 } }', /^refreshWakeUpLeadTime/],
  ['retryResponseCodes: 503,504', /^retryResponseCodes: a provider that answers 504 may have/],
  ['tslMailConfig: { host: mail.example, isAuth: false }', /^tslMailConfig\.from: missing/],
  ['tslMailConfig: { host: mail.example, from: a@b.example }', /^tslMailConfig\.username, password: missing/],
  ['database: { url: "jdbc:mysql://a,b/x?serverTimezone=Asia/Colombo&magic=1" }', /^database\.url: several hosts/],
])('the file %s loads with a warning', (yaml, warning) => {
  expect(loadConfig(file(yaml), {}).warnings).toEqual(expect.arrayContaining([expect.stringMatching(warning)]));
});

test('a configuration without a flaw has no warning', () => {
  const config = loadConfig(file(`sealing: { keys: [{ id: old, key: ${sealingKey} }, { id: new, key: ${sealingKey} }], activeKey: new }`), {});
  expect(config.warnings).toEqual([]);
  expect(config.sealing.activeKey).toBe('new');
  expect(config.sealing.keys.map(({ id, key: held }) => [id, held.reveal()])).toEqual([['old', sealingKey], ['new', sealingKey]]);
});
