import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { helm, objectOf, readChartFile, render, root, withoutHelm } from './chart.ts';

interface Rule { readonly alert?: string; readonly annotations?: Readonly<Record<string, string>> }
interface Rules { readonly groups: readonly { readonly rules: readonly Rule[] }[] }

const rulesOf = ({ groups }: Rules): Rule[] => groups.flatMap(({ rules }) => rules);
const original = parse(readFileSync(join(root, 'deploy/prometheus/rules.yml'), 'utf8')) as Rules;

describe.skipIf(helm === undefined)(`what the chart brings for Prometheus and Grafana${withoutHelm}`, () => {
  test('has the alerts of deploy/ as they are, their templates for Prometheus untouched', async () => {
    const rules = objectOf(await render('everything-on', '--set', 'prometheusRule.runbook='), 'PrometheusRule').spec as Rules;
    expect(rules).toEqual(original);
    expect(JSON.stringify(rulesOf(rules))).toContain('{{ $labels.');
  });

  test('lets each alert link to where the values say that the runbook is read', async () => {
    const rules = rulesOf(objectOf(await render('everything-on'), 'PrometheusRule').spec as Rules);
    expect(rules.length).toBeGreaterThan(10);
    for (const { alert, annotations } of rules) expect(annotations?.['runbook_url']).toBe(`https://wiki.example.com/runbook#${alert!.toLowerCase()}`);
    expect(rulesOf(original).map(({ alert }) => alert)).toEqual(rules.map(({ alert }) => alert));
  });

  test('has the dashboard of deploy/ as it is, under the label by which Grafana finds it', async () => {
    const { data, metadata } = objectOf(await render('everything-on'), 'ConfigMap', '-dashboard');
    expect(JSON.parse(data!['token-pool-service.json']!)).toEqual(JSON.parse(readFileSync(join(root, 'deploy/grafana/dashboard.json'), 'utf8')));
    expect([metadata.labels, metadata.annotations]).toEqual([expect.objectContaining({ grafana_dashboard: '1' }), { grafana_folder: 'Identity' }]);
  });
});

test('alerts and dashboard are there to be copied', () => {
  for (const path of ['deploy/prometheus/rules.yml', 'deploy/grafana/dashboard.json']) expect(existsSync(join(root, path)), path).toBe(true);
  expect((JSON.parse(readChartFile('files/dashboard.json')) as { panels: unknown[] }).panels.length).toBeGreaterThan(5);
});
