import { describe, expect, test } from 'vitest';

import { readChartFile } from './chart.ts';
import { madeFiles, strayScripts } from './chart-files.ts';
import { chartReadme, valueDocs } from './chart-readme.ts';
import { settingsSchema } from './settings-schema.ts';

describe('the made files of the chart are as `node test/helm/generate.ts` makes them', () => {
  test.each(madeFiles())('$path', ({ path, content }) => {
    expect(readChartFile(path)).toBe(content);
  });

  test('there is no script that dbscripts/ has no more', () => {
    expect(strayScripts()).toEqual([]);
  });

  test('alerts and dashboard are among them', () => {
    expect(madeFiles().map(({ path }) => path)).toEqual(expect.arrayContaining(['files/rules.yml', 'files/dashboard.json']));
  });
});

describe('the README of the chart', () => {
  const values = '# -- A\na: 1\nb:\n  # -- C of b\n  c: [1]\n  # -- Whole\n  d:\n    e: 2\n';

  test('has every value, with its default and what it means', () => {
    expect(valueDocs(values)).toEqual([{ path: 'a', about: 'A', byDefault: 1 }, { path: 'b.c', about: 'C of b', byDefault: [1] }, { path: 'b.d', about: 'Whole', byDefault: { e: 2 } }]);
    expect(chartReadme('Intro', values)).toContain('| `b.c` | `[1]` | C of b |');
  });

  test('cannot be made while a value is not explained', () => {
    expect(() => valueDocs(`${values}f:\n  # Not that form\n  g: 3\nh: 4\n`)).toThrow('values.yaml does not explain f.g, h');
  });
});

interface Schema {
  readonly type?: string | readonly string[];
  readonly additionalProperties?: unknown;
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
  readonly $ref?: string;
}

describe('values.schema.json', () => {
  const schema = JSON.parse(readChartFile('values.schema.json')) as Schema & { readonly definitions: Record<string, Schema> };
  const resolve = (given: Schema): Schema => (given.$ref === undefined ? given : schema.definitions[given.$ref.replace('#/definitions/', '')]!);

  test('lets nothing through that it does not know, but pieces of Kubernetes and what a parent chart hands down', () => {
    const open: string[] = [];
    const walk = (given: Schema, path: string): void => {
      if (given.type === 'object' && (given.additionalProperties === true || given.additionalProperties === undefined)) open.push(path);
      for (const [name, held] of Object.entries(given.properties ?? {})) walk(held, `${path}.${name}`);
      if (given.items !== undefined) walk(given.items, `${path}[]`);
    };
    walk(schema, '');
    for (const [name, held] of Object.entries(schema.definitions)) walk(held, name);
    expect(open).toEqual(['.global', 'kubernetes']);
  });

  test('knows the values of values.yaml and no others', () => {
    const known = (given: Schema, path: string): string[] => {
      const { properties } = resolve(given);
      if (properties === undefined) return [path];
      return Object.entries(properties).flatMap(([name, held]) => known(held, path === '' ? name : `${path}.${name}`));
    };
    const documented = valueDocs(readChartFile('values.yaml')).map(({ path }) => path);
    const left = known(schema, '').filter((path) => !documented.some((whole) => path === whole || path.startsWith(`${whole}.`)));
    expect(left).toEqual(['global']);
  });

  test('knows the settings of the service, less what other values decide', () => {
    const { properties } = settingsSchema();
    expect(properties?.['refresh']?.properties?.['jitter']).toMatchObject({ type: 'number', minimum: 0, maximum: 0.5 });
    expect(properties?.['logging']?.properties?.['level']).toMatchObject({ enum: ['OFF', 'ERROR', 'WARN', 'INFO', 'DEBUG', 'TRACE', 'ALL'] });
    expect(properties?.['tslMailConfig']?.properties).not.toHaveProperty('password');
    for (const name of ['server', 'sealing', 'journal']) expect(properties).not.toHaveProperty(name);
    expect(JSON.stringify(properties?.['redis']?.properties)).toMatch(/^\{"keyPrefix":\{[^}]*\}\}$/);
  });

  test('gives no secret a pattern, whose failure would show it', () => {
    const secrets: Schema[] = [];
    const walk = (given: Schema): void => {
      for (const [name, held] of Object.entries(given.properties ?? {})) {
        if (/^(password|key|url|firstStatements)$/.test(name) && held.$ref === undefined) secrets.push(held);
        walk(held);
      }
      if (given.items !== undefined) walk(given.items);
    };
    walk(schema);
    expect(secrets.length).toBeGreaterThan(8);
    for (const secret of secrets) expect(secret).toEqual({ type: 'string' });
  });

});
