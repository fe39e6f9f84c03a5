import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { describeKeys } from '../../src/config/keys.ts';
import { loadConfig } from '../../src/config/load.ts';

const root = join(import.meta.dirname, '../..');
const documentation = readFileSync(join(root, 'docs/configuration.md'), 'utf8');

test('the documentation has one row for every key, with its environment name, default, range and meaning', () => {
  const rows = documentation.split('\n').filter((line) => line.startsWith('| `'));
  const expected = describeKeys().map(({ path, environment, default: byDefault, allowed, about }) => `| \`${path}\`<br>\`${environment}\` | ${byDefault} | ${allowed} | ${about} |`);
  expect(rows.sort()).toEqual(expected.sort());
});

test('every key says what it means, what is allowed and what holds without it', () => {
  for (const key of describeKeys()) {
    expect([key.about.length > 3, key.allowed !== '', key.default !== '', /^TOKENPOOL_[A-Z0-9_<>n]+$/.test(key.environment)], key.path).toEqual([true, true, true, true]);
  }
});

test('the sample file loads, and differs from the defaults only where it says so', () => {
  const sample = loadConfig(join(root, 'deploy/config.yml'), { TOKENPOOL_CLUSTER_NODE_ID: 'n' });
  const byDefault = loadConfig(undefined, { TOKENPOOL_CLUSTER_NODE_ID: 'n' });
  const [onConsole, inFile] = sample.logging.appenders;
  expect(sample).toEqual({ ...byDefault, retryResponseCodes: [503], logging: { level: 'INFO', loggers: { http: 'INFO' }, appenders: [onConsole, inFile] } });
  expect([onConsole, inFile]).toMatchObject([byDefault.logging.appenders[0]!, { type: 'file', archivedFileCount: 5 }]);
});

test('the sample file mentions every key', () => {
  const sample = readFileSync(join(root, 'deploy/config.yml'), 'utf8');
  for (const { path } of describeKeys()) {
    const key = path.replaceAll('[]', '').split('.').at(-1) ?? '';
    expect(new RegExp(`(?:^|[\\s#{,-])${key}:`, 'm').test(sample), path).toBe(true);
  }
});
