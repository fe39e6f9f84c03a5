import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { chart, helm, readChartFile, render, runHelm, scenarios, template, valuesOf, withoutHelm } from './chart.ts';
import type { Rendered } from './chart.ts';
import { apiComplaints, kubernetesVersions } from './kubernetes/api-schemas.ts';
import { podsOf } from './pods.ts';

const patience = 60_000;

describe.skipIf(helm === undefined).each(scenarios)(`the chart in the scenario %s${withoutHelm}`, (scenario) => {
  let objects: readonly Rendered[] = [];

  beforeAll(async () => {
    objects = await render(scenario);
  }, patience);

  test('is without fault to helm lint --strict', async () => {
    const { ok, stdout, stderr } = await runHelm('lint', '--strict', '--kube-version', '1.37.0', '-f', valuesOf(scenario), chart);
    expect([ok, stdout + stderr]).toEqual([true, expect.not.stringMatching(/\[(WARNING|ERROR)\]|Fail:/)]);
  }, patience);

  test.each(kubernetesVersions)('is what the API of Kubernetes %s takes', (version) => {
    expect(objects.length).toBeGreaterThan(8);
    const complaints = objects.flatMap((object) => {
      const { source, ...given } = object;
      return apiComplaints(given, version).map((complaint) => `${source}: ${complaint}`);
    });
    expect(complaints).toEqual([]);
  });

  test('has one kind to a template, named for it', () => {
    for (const { source, kind } of objects) expect(basename(source, '.yaml'), source).toBe(kind.toLowerCase());
  });

  test('has no two objects of one kind and name', () => {
    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect([...new Set(names)]).toEqual(names);
  });

  test('has labels on every object and pod, in its own namespace', () => {
    const wanted = { 'app.kubernetes.io/name': 'token-pool-service', 'app.kubernetes.io/instance': 'tokens', 'app.kubernetes.io/part-of': 'token-pool-service' };
    for (const { kind, metadata } of objects) {
      expect(metadata, kind).toMatchObject({ namespace: 'oauth', labels: { ...wanted, 'app.kubernetes.io/version': '2.0.0', 'app.kubernetes.io/managed-by': 'Helm' } });
    }
    for (const { labels } of podsOf(objects)) expect(labels).toMatchObject(wanted);
  });

  test('has pods whose labels an upgrade does not change', () => {
    for (const { labels } of podsOf(objects.filter(({ kind }) => kind !== 'Pod'))) expect(Object.keys(labels)).not.toEqual(expect.arrayContaining(['helm.sh/chart']));
  });

  test('has requests and limits on every container', () => {
    for (const { owner, spec } of podsOf(objects)) {
      for (const { resources } of spec.containers) expect([Object.keys(resources.requests).sort(), Object.keys(resources.limits)], owner.source).toEqual([['cpu', 'ephemeral-storage', 'memory'], expect.arrayContaining(['memory'])]);
    }
  });
});

describe.skipIf(helm === undefined)(`the kinds of the chart${withoutHelm}`, () => {
  const namesOf = async (scenario: string): Promise<string[]> => (await render(scenario)).map(({ kind, metadata }) => `${kind}${metadata.name.replace('tokens-token-pool-service', '')}`).sort();

  test('are few where only the stores are named', async () => {
    expect(await namesOf('default-minimal')).toEqual([
      'ConfigMap', 'ConfigMap-migration', 'ConfigMap-test', 'Deployment', 'Job-migration', 'NetworkPolicy', 'Pod-test', 'PodDisruptionBudget', 'Service', 'Service-admin', 'ServiceAccount',
    ]);
  });

  test('are all where everything is turned on', async () => {
    expect(await namesOf('everything-on')).toEqual([
      'ConfigMap', 'ConfigMap-dashboard', 'ConfigMap-migration', 'ConfigMap-test', 'Deployment', 'HorizontalPodAutoscaler', 'Ingress', 'Job-migration', 'NetworkPolicy', 'Pod-test',
      'PodDisruptionBudget', 'PrometheusRule', 'Secret', 'Secret-migration', 'Service', 'Service-admin', 'ServiceAccounttokens', 'ServiceMonitor',
    ]);
  });
});

describe.skipIf(helm === undefined)(`the README of the chart${withoutHelm}`, () => {
  const commands = [...readChartFile('README.intro.md').replaceAll(/\\\n\s*/g, '').matchAll(/^ {4}helm install (.*)$/gm)].map(([, words = '']) => words.replaceAll("'", '').split(/\s+/));

  test.each(commands.map((words) => [words.join(' '), words] as const))('installs by a command that is taken: %s', async (_, words) => {
    const given = words.map((word) => word.replace('helm/token-pool-service', chart));
    const { ok, stderr } = await runHelm('template', ...given.filter((word) => word !== '--create-namespace'), '--kube-version', '1.37.0');
    expect([ok, stderr]).toEqual([true, '']);
  });

  test('has a command for production and one for trying out', () => {
    expect(commands.map((words) => words.join(' ').includes('try-out'))).toEqual([false, true]);
  });
});

describe.skipIf(helm === undefined)(`the versions of the chart${withoutHelm}`, () => {
  test('a Kubernetes that is older than what is checked is refused', async () => {
    const { ok, stderr } = await template('default-minimal', '--kube-version', '1.30.9');
    expect([ok, stderr]).toEqual([false, expect.stringContaining('chart requires kubeVersion: >=1.31.0-0 which is incompatible with Kubernetes v1.30.9')]);
  });

  test('the oldest that is checked is taken', async () => {
    const { ok } = await template('default-minimal', '--kube-version', `${kubernetesVersions[0] ?? ''}.0`);
    expect(ok).toBe(true);
  });
});

test('Chart.yaml bears the version of the service, and the oldest Kubernetes of the schemas', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  expect(parse(readChartFile('Chart.yaml'))).toMatchObject({ apiVersion: 'v2', name: 'token-pool-service', type: 'application', appVersion: version, kubeVersion: `>=${kubernetesVersions[0] ?? ''}.0-0` });
});

describe('the schemas of the API', () => {
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec: { ports: [{ port: 1 }] } };
  const COMPLAINTS: [name: string, object: { apiVersion: string; kind: string }, complaint: string][] = [
    ['a field that is not there', { ...service, spec: { port: 1 } } as never, 'additional properties'],
    ['a field that is missing', { ...service, spec: { ports: [{}] } } as never, 'port'],
    ['a value of another type', { ...service, spec: { ports: [{ port: '1' }] } } as never, 'should be integer'],
    ['a null', { ...service, spec: null } as never, 'should be object'],
    ['a kind that is gone', { apiVersion: 'policy/v1beta1', kind: 'PodDisruptionBudget' }, 'is not in the schemas'],
    ['an unknown field of the operator', { apiVersion: 'monitoring.coreos.com/v1', kind: 'ServiceMonitor', metadata: { name: 'a', labels: {} }, spec: { endpoints: [{ ports: 'a' }], selector: {} } } as never, 'additional properties'],
  ];

  test.each(COMPLAINTS)('complain of %s, in every version', (_, object, complaint) => {
    expect(apiComplaints(service, '1.37')).toEqual([]);
    for (const version of kubernetesVersions) expect(apiComplaints(object, version).join(), version).toContain(complaint);
  });
});
