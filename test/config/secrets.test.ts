import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';

import { afterAll, expect, test } from 'vitest';

import { describeConfig } from '../../src/config/describe.ts';
import { loadConfig } from '../../src/config/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const key = Buffer.from('s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr').toString('base64');
const privateKey = '-----BEGIN PRIVATE KEY-----\ns3cr3t\n-----END PRIVATE KEY-----';

const secrets = {
  TOKENPOOL_DATABASE_URL: 'jdbc:mysql://u:s3cr3t@db/x?password=s3cr3t',
  TOKENPOOL_DATABASE_PASSWORD: 's3cr3t',
  TOKENPOOL_TSL_MAIL_CONFIG_PASSWORD: 's3cr3t',
  TOKENPOOL_REDIS_URL: 'rediss://u:s3cr3t@cache/1',
  TOKENPOOL_REDIS_PASSWORD: 's3cr3t',
  TOKENPOOL_REDIS_TLS_KEY: privateKey,
  TOKENPOOL_SEALING_KEYS: JSON.stringify([{ id: 'k1', key }]),
};

test('neither the configuration printed nor its description shows a secret', () => {
  const config = loadConfig(undefined, secrets);
  expect(config.redis.password?.reveal()).toBe('s3cr3t');
  const description = describeConfig(config);
  for (const printed of [inspect(config, { depth: 20, showHidden: true }), JSON.stringify(config), JSON.stringify(description), config.warnings.join()]) {
    expect(printed).not.toContain('s3cr3t');
    expect(printed).not.toContain(key);
  }
  expect(description).toMatchObject({
    database: { host: 'db', password: '[secret]' }, redis: { url: 'rediss://cache:6379', password: '[secret]', tls: { key: '[secret]' } },
    sealing: { keys: [{ id: 'k1', key: '[secret]' }], activeKey: 'k1' },
  });
  expect(description).not.toHaveProperty('warnings');
});

test.each([
  { TOKENPOOL_DATABASE_URL: 's3cr3t' },
  { TOKENPOOL_DATABASE_URL: 'jdbc:mysql://u:s3cr3t@/x' },
  { TOKENPOOL_DATABASE_URL: 'jdbc:mysql://db/x?sslMode=s3cr3t&password=s3cr3t' },
  { TOKENPOOL_REDIS_URL: 'redis:/:s3cr3t@cache' },
  { TOKENPOOL_REDIS_URL: 'redis://:s3cr3t%zz@cache' },
  { TOKENPOOL_REDIS_URL: 'redis://:s3cr3t/x@cache' },
  { TOKENPOOL_REDIS_TLS: 's3cr3t' },
  { TOKENPOOL_REDIS_TLS_KEY: 's3cr3t' },
  { TOKENPOOL_SEALING_KEYS: 's3cr3t' },
  { TOKENPOOL_SEALING_KEYS: '["s3cr3t"]' },
  { TOKENPOOL_SEALING_KEYS: '[{"id": "a", "key": "s3cr3t"}]' },
  { TOKENPOOL_SEALING_KEYS: '[{"id": "a", "key": ["s3cr3t"]}]' },
  { TOKENPOOL_SEALING_KEYS_0_KEY: key.slice(4) },
  { TOKENPOOL_DATABASE: '"s3cr3t"' },
  { TOKENPOOL_DATABASE_PASSWORDS: 's3cr3t' },
])('a fault in %o does not repeat it', (environment) => {
  let message = '';
  try {
    loadConfig(undefined, environment);
  } catch (error) {
    message = inspect(error, { depth: 20 });
  }
  expect(message).toContain('The configuration has');
  expect(message).not.toMatch(/s3cr3t|M2NyM3/);
});

test('a fault in a file beside a secret does not repeat it', () => {
  const file = join(folder, 'config.yml');
  for (const yaml of ['database:\n  password: s3cr3t\n   user: x\n', 'database:\n  password: [s3cr3t\n', 'database: { password: { is: s3cr3t } }', 'database: s3cr3t', 'tslMailConfig: [s3cr3t]', 's3cr3t']) {
    writeFileSync(file, yaml);
    expect(() => loadConfig(file, {})).toThrow(expect.objectContaining({ message: expect.not.stringContaining('s3cr3t') as string }));
  }
});
