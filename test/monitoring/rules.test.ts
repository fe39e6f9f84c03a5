import { statSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { alertCases, alerts, caseFiles, casesFolder, readDocument, root, rulesFile } from './alert-rules.ts';
import { sources, strangersIn } from './exported.ts';
import { promtool, withoutPrometheus } from './promtool.ts';

const names = alerts.map(({ alert }) => alert);
const [runbook, metricsPage] = [readDocument('runbook.md'), readDocument('metrics.md')];

describe.skipIf(withoutPrometheus !== '')(`promtool${withoutPrometheus}`, () => {
  test('finds nothing wrong with the rules', async () => {
    expect(await promtool('check', 'rules', rulesFile)).toMatchObject({ ok: true });
  });

  test('finds nothing wrong with the configuration that scrapes the nodes of the compose file', async () => {
    expect(await promtool('check', 'config', join(rulesFile, '../prometheus.yml'))).toMatchObject({ ok: true });
  });

  test.each(caseFiles)('sees what %s says: who fires, with which labels and words, and who does not', async (name) => {
    expect(await promtool('test', 'rules', join(casesFolder, name))).toEqual({ ok: true, output: expect.stringContaining('SUCCESS') as string });
  }, 60_000);
});

describe.each(alerts)('$alert', ({ alert, expr, labels, annotations }) => {
  test('has a case in which it fires, with all its labels and annotations, and one in which it does not', () => {
    const cases = alertCases.filter(({ alertname }) => alertname === alert);
    const firing = cases.flatMap(({ exp_alerts }) => exp_alerts);
    expect(firing.length).toBeGreaterThan(0);
    expect(cases.some(({ exp_alerts }) => exp_alerts.length === 0)).toBe(true);
    for (const { exp_labels, exp_annotations } of firing) {
      expect(exp_labels).toMatchObject({ severity: labels.severity });
      expect(Object.keys(exp_annotations ?? {}).sort()).toEqual(Object.keys(annotations).sort());
    }
  });

  test('has a severity, and words that say where', () => {
    expect(['critical', 'warning']).toContain(labels.severity);
    expect(Object.keys(annotations).sort()).toEqual(['description', 'runbook_url', 'summary']);
    expect(annotations.summary).toMatch(/\$labels\.(job|instance|owner)/);
  });

  test('tells labels and numbers, and nothing else that it is given', () => {
    const told = [...`${annotations.summary} ${annotations.description}`.matchAll(/\{\{(.*?)\}\}/g)].map(([, template]) => template!.trim());
    for (const template of told) expect(template).toMatch(/^(with )?\$labels\.(job|instance|owner|outcome|code|operation)$|^\$value( \| (humanizeDuration|printf "%\.0f"))?$|^(\.|else|end)$/);
  });

  test('links to its section of the runbook', () => {
    expect(annotations.runbook_url).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
    expect(runbook).toMatch(new RegExp(`^## ${alert}$`, 'm'));
  });

  test('asks for what nodes export, by names and labels that they use', () => {
    expect(strangersIn(expr)).toEqual([]);
  });

  test('keeps services apart, whatever their jobs are called', () => {
    expect(expr).not.toMatch(/job\s*[=!]/);
    for (const [, labels] of expr.matchAll(/\bby \(([^)]*)\)/g)) expect(labels).toMatch(/^cluster, namespace, job(,|$)/);
  });
});

test('each alert has a name of its own', () => {
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^TokenPool[A-Z]\w+$/);
});

describe('docs', () => {
  const sections = runbook.split(/^## /m).slice(1).map((text) => ({ name: text.slice(0, text.indexOf('\n')), text }));
  const ofAlerts = sections.filter(({ name }) => name.startsWith('TokenPool'));

  test('the runbook has a section for each alert, in their order, and none for one that is gone', () => {
    expect(ofAlerts.map(({ name }) => name)).toEqual(names);
  });

  test.each(ofAlerts)('the section $name says what the alert means, what to look at and what to do', ({ text }) => {
    for (const part of ['**Means**', '**Look at**', '**Do**']) expect(text).toContain(part);
  });

  test('the runbook asks for what nodes export', () => {
    const queries = [...runbook.matchAll(/^```promql\n([\s\S]*?)^```/gm)].flatMap(([, text]) => text!.trim().split('\n'));
    expect(queries.length).toBeGreaterThan(10);
    for (const query of queries) expect({ query, faults: strangersIn(query) }).toEqual({ query, faults: [] });
  });

  test('the runbook quotes lines of the log that the service writes, under the names of its loggers', () => {
    const lines = [...runbook.matchAll(/^```log\n([\s\S]*?)^```/gm)].flatMap(([, text]) => text!.trim().split('\n'));
    expect(lines.length).toBeGreaterThan(20);
    for (const line of lines) {
      const [, logger, message] = /^([a-z.]+): (.+)$/.exec(line) ?? [];
      expect({ line, said: sources.includes(`logger('${logger}')`) && sources.includes(message ?? line) }).toEqual({ line, said: true });
    }
  });

  test('the pictures of metrics.md are there, and small', () => {
    const pictures = [...metricsPage.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, path]) => statSync(join(root, 'docs', path!)).size);
    expect(pictures).toHaveLength(2);
    expect(Math.max(...pictures)).toBeLessThan(300_000);
  });

  test('metrics.md lists every alert with its severity, and links to it', () => {
    const rows = [...metricsPage.matchAll(/^\| \[(TokenPool\w+)\]\(runbook\.md#(\w+)\) \| (\w+) \|/gm)].map(([, name, anchor, severity]) => [name, anchor, severity]);
    expect(rows).toEqual(alerts.map(({ alert, labels }) => [alert, alert.toLowerCase(), labels.severity]));
  });
});
