import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { chart, readChartFile, root } from './chart.ts';
import { chartReadme } from './chart-readme.ts';
import { settingsSchema } from './settings-schema.ts';

/** A file of the chart that is made from others: its path within the chart, and what stands in it. */
export interface MadeFile {
  readonly path: string;
  readonly content: string;
}

/** A chart holds all that it renders, so these are copies. */
const copied: readonly (readonly [source: string, copy: string])[] = [
  ...readdirSync(join(root, 'dbscripts')).map((name) => [`dbscripts/${name}`, `files/dbscripts/${name}`] as const),
  ['deploy/prometheus/rules.yml', 'files/rules.yml'],
  ['deploy/grafana/dashboard.json', 'files/dashboard.json'],
];

/** Every file of the chart that nobody writes by hand. */
export function madeFiles(): MadeFile[] {
  return [
    { path: 'README.md', content: chartReadme(readChartFile('README.intro.md'), readChartFile('values.yaml')) },
    { path: 'values.schema.json', content: valuesSchema() },
    ...copied.map(([source, copy]) => ({ path: copy, content: readFileSync(join(root, source), 'utf8') })),
  ];
}

/** Files under files/dbscripts that are no script any more. */
export function strayScripts(): string[] {
  return readdirSync(join(chart, 'files/dbscripts')).filter((name) => !existsSync(join(root, 'dbscripts', name)));
}

/** What is written by hand, with the settings of the service as they are now. */
function valuesSchema(): string {
  const schema = JSON.parse(readChartFile('values.schema.json')) as { definitions: object };
  return `${JSON.stringify({ ...schema, definitions: { ...schema.definitions, config: settingsSchema() } }, undefined, 2)}\n`;
}
