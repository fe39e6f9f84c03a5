import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Metrics } from '../../src/runtime/metrics.ts';
import { root } from './alert-rules.ts';
import { partsOf } from './query-parts.ts';

/** Labels that come from where Prometheus scrapes. */
export const targetLabels = ['cluster', 'namespace', 'job', 'instance', 'pod'];

/** Every series that a node can be scraped for, with its labels: made by the registry itself. */
const exported = new Map<string, readonly string[]>([
  ['up', []],
  ...new Metrics({ version: '1.2.3' }).describe().flatMap(({ name, type, labels }) => seriesOf(name, type, labels)),
]);

/** All code of the service, as text. */
export const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts')).map((name) => readFileSync(join(root, 'src', name), 'utf8')).join('\n');

/** What is wrong with the names in a query, a sentence each: metrics, labels and values that no node exports. */
export function strangersIn(query: string): string[] {
  const { selectors, grouping } = partsOf(query);
  const faults: string[] = [];
  const known = new Set(targetLabels);
  for (const { metric, matchers } of selectors) {
    const labels = exported.get(metric);
    if (labels === undefined) faults.push(`no metric ${metric}`);
    for (const label of labels ?? []) known.add(label);
    for (const { label, values } of matchers) {
      if (targetLabels.includes(label)) continue;
      if (!(labels ?? []).includes(label)) faults.push(`${metric} has no label ${label}`);
      for (const value of values) if (!isSaid(value)) faults.push(`no code says ${label} ${value}`);
    }
  }
  for (const label of grouping) if (!known.has(label)) faults.push(`nothing has the label ${label} that is grouped by`);
  if (selectors.length === 0) faults.push('no metric at all');
  return faults;
}

function isSaid(value: string): boolean {
  return /^(true|false|\$\w+)$/.test(value) || sources.includes(`'${value}'`) || new RegExp(String.raw`^\s*${value}: '`, 'm').test(sources);
}

function seriesOf(name: string, type: string, labels: readonly string[]): [string, readonly string[]][] {
  if (type === 'histogram') return [[`${name}_bucket`, [...labels, 'le']], [`${name}_sum`, labels], [`${name}_count`, labels]];
  return [[name, labels]];
}
