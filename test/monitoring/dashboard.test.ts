import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { alerts, root } from './alert-rules.ts';
import { asSent, dashboard, dashboardQueries, shownPanels } from './dashboard.ts';
import { strangersIn } from './exported.ts';
import { promtool, withoutPrometheus } from './promtool.ts';

describe.each(shownPanels)('the panel $title', ({ description = '', datasource, targets = [], fieldConfig }) => {
  test('says what it shows, in which unit, and above what it is not well', () => {
    expect(description.length).toBeGreaterThan(20);
    expect(fieldConfig?.defaults.unit).toBeTruthy();
    expect(fieldConfig?.defaults.thresholds?.steps.length).toBeGreaterThan(0);
  });

  test('asks the Prometheus that was chosen, for the service that was chosen', () => {
    expect(datasource).toEqual({ type: 'prometheus', uid: '${datasource}' });
    expect(targets.length).toBeGreaterThan(0);
    for (const { expr, datasource: of } of targets) {
      expect(of.uid).toBe('${datasource}');
      const selectors = expr.match(/\w+\{/g) ?? [];
      expect(selectors.length).toBeGreaterThan(0);
      expect(expr.match(/\{namespace=~"\$namespace", job="\$job"/g)).toHaveLength(selectors.length);
    }
  });
});

describe('the dashboard', () => {
  test.each(dashboardQueries)('asks for what nodes export: $title', ({ expr }) => {
    if (!expr.startsWith('ALERTS{')) expect(strangersIn(expr)).toEqual([]);
  });

  test('has variables for the data source, namespace, service and owner, and queries use no others', () => {
    const names = dashboard.templating.list.map(({ name }) => name);
    expect(names).toEqual(['datasource', 'namespace', 'job', 'owner']);
    const used = dashboardQueries.flatMap(({ expr }) => [...expr.matchAll(/\$(\w+)/g)].map(([, name]) => name!));
    expect([...new Set(used)].filter((name) => name !== '__rate_interval').sort()).toEqual(['job', 'namespace', 'owner']);
    for (const { definition } of dashboard.templating.list) {
      const [, of] = /label_values\((\w+)/.exec(definition ?? '') ?? [];
      if (of !== undefined) expect(strangersIn(of)).toEqual([]);
    }
  });

  test('has its rows, each panel once and none over another', () => {
    const rows = dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title);
    expect(rows).toEqual(['What callers see', 'The pool', 'Refreshes', 'The cluster', 'The stores', 'The process']);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    expect(new Set(shownPanels.map(({ title }) => title)).size).toBe(shownPanels.length);
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) => Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`));
    expect(new Set(cells).size).toBe(cells.length);
    expect(Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.x + gridPos.w))).toBe(24);
  });

  test('marks changes of the master, and speaks of alerts that there are', () => {
    expect(dashboard.annotations.list.map(({ name }) => name)).toContain('Master changes');
    const named = shownPanels.flatMap(({ description = '' }) => description.match(/TokenPool[A-Z]\w+/g) ?? []);
    expect(named.filter((name) => !alerts.some(({ alert }) => alert === name))).toEqual([]);
  });

  test('is written for a Grafana of today, and imported without an id of its own', () => {
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(39);
    expect(dashboard).not.toHaveProperty('id');
  });
});

test.skipIf(withoutPrometheus !== '')(`promtool can parse every query of the dashboard${withoutPrometheus}`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tps-dashboard-'));
  try {
    const rules = dashboardQueries.map(({ expr }, index) => ({ record: `panel:${index}`, expr: asSent(expr, 'tokens', '1m') }));
    writeFileSync(join(folder, 'queries.yml'), JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    expect(await promtool('check', 'rules', join(folder, 'queries.yml'))).toEqual({ ok: true, output: expect.stringContaining(`${rules.length} rules found`) as string });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the data source and the folder of dashboards that are provisioned are those of the compose file', () => {
  const read = (name: string): unknown => parse(readFileSync(join(root, 'deploy/grafana/provisioning', name), 'utf8'));
  expect(read('datasources/prometheus.yml')).toMatchObject({ datasources: [{ type: 'prometheus', url: 'http://prometheus:9090', isDefault: true }] });
  expect(read('dashboards/token-pool.yml')).toMatchObject({ providers: [{ type: 'file', options: { path: '/var/lib/grafana/dashboards' } }] });
});
