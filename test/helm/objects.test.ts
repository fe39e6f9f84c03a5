import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { adminApp } from '../../src/http/admin-routes.ts';
import { helm, objectOf, render, root, scenarios, withoutHelm } from './chart.ts';
import type { Rendered } from './chart.ts';
import { filesIn, nodePod, podsOf } from './pods.ts';

const patience = 60_000;
const dockerfile = join(root, 'Dockerfile');
const rendered = new Map<string, readonly Rendered[]>();

beforeAll(async () => {
  if (helm !== undefined) for (const scenario of scenarios) rendered.set(scenario, await render(scenario));
}, patience);

const objectsOf = (scenario: string): readonly Rendered[] => rendered.get(scenario)!;

/** Whether labels answer to a selector. */
function answers(labels: Record<string, string> | undefined, selector: Record<string, string>): boolean {
  return Object.entries(selector).every(([name, value]) => labels?.[name] === value);
}

describe.skipIf(helm === undefined).each(scenarios)(`the objects of the scenario %s fit together${withoutHelm}`, (scenario) => {
  test('each pod runs without any privilege', () => {
    for (const { owner, spec } of podsOf(objectsOf(scenario))) {
      expect(spec, owner.source).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false, securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } });
      expect(spec.securityContext?.runAsUser).toBeGreaterThan(0);
      for (const { securityContext } of spec.containers) {
        expect(securityContext, owner.source).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, privileged: false, capabilities: { drop: ['ALL'] } });
      }
    }
  });

  test('each mounted volume is there, and each volume is mounted', () => {
    for (const { owner, spec, claims } of podsOf(objectsOf(scenario))) {
      const there = [...(spec.volumes ?? []).map(({ name }) => name), ...claims].sort();
      const mounted = spec.containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name)).sort();
      expect(mounted, owner.source).toEqual(there);
    }
  });

  test('what a pod takes from an object of the release stands in it', () => {
    for (const { owner, spec } of podsOf(objectsOf(scenario))) {
      for (const { kind, name, key } of (spec.volumes ?? []).flatMap(filesIn)) {
        const object = objectsOf(scenario).find((one) => one.kind === kind && one.metadata.name === name);
        if (name.startsWith('tokens-token-pool-service')) expect(Object.keys(object?.data ?? {}), `${owner.source}: ${kind} ${name}`).toContain(key);
      }
    }
  });

  test('a hook that comes before the release takes nothing of it', () => {
    const isBefore = ({ metadata }: Rendered): boolean => (metadata.annotations?.['helm.sh/hook'] ?? '').startsWith('pre-install');
    const hooks = objectsOf(scenario).filter(isBefore);
    for (const { spec } of podsOf(hooks)) {
      expect(spec.serviceAccountName).toBe('default');
      const names = (spec.volumes ?? []).flatMap((volume) => [volume.configMap?.name, ...filesIn(volume).map(({ name }) => name)]).filter((name) => name?.startsWith('tokens-token-pool-service'));
      expect(hooks.map(({ metadata }) => metadata.name)).toEqual(expect.arrayContaining([...new Set(names)]));
    }
  });

  test('each Service, policy and budget finds pods, and Services find their ports', () => {
    const pods = podsOf(objectsOf(scenario));
    for (const { kind, spec, source } of objectsOf(scenario)) {
      const given = spec as { selector?: Record<string, unknown>; podSelector?: { matchLabels: Record<string, string> }; ports?: { targetPort: string }[] };
      const selector = kind === 'Service' ? given.selector : kind === 'NetworkPolicy' ? given.podSelector?.matchLabels : kind === 'PodDisruptionBudget' ? given.selector?.['matchLabels'] : undefined;
      if (selector === undefined) continue;
      const found = pods.filter(({ labels }) => answers(labels, selector as Record<string, string>));
      expect(found.map(({ owner }) => owner.kind), source).toEqual([expect.stringMatching(/^(Deployment|StatefulSet)$/)]);
      const open = found[0]!.spec.containers.flatMap(({ ports = [] }) => ports.map(({ name }) => name));
      if (kind === 'Service') expect(open, source).toEqual(expect.arrayContaining(given.ports!.map(({ targetPort }) => targetPort)));
    }
  });

  test('a workload finds its own pods and no others', () => {
    for (const { owner } of podsOf(objectsOf(scenario)).filter(({ owner: { kind } }) => kind === 'Deployment' || kind === 'StatefulSet')) {
      const { matchLabels } = (owner.spec as { selector: { matchLabels: Record<string, string> } }).selector;
      expect(podsOf(objectsOf(scenario)).filter(({ labels }) => answers(labels, matchLabels)).map((pod) => pod.owner)).toEqual([owner]);
    }
  });

  test('the ServiceAccount has no rights, and no object gives any', () => {
    expect(objectsOf(scenario).filter(({ kind }) => /Role/.test(kind))).toEqual([]);
    for (const account of objectsOf(scenario).filter(({ kind }) => kind === 'ServiceAccount')) expect(account).toMatchObject({ automountServiceAccountToken: false });
  });
});

describe.skipIf(helm === undefined)(`the pods of the service${withoutHelm}`, () => {
  const app = adminApp({
    checks: {}, isReady: () => ({ ready: true }), metrics: { contentType: 'text/plain', expose: () => Promise.resolve('') }, cluster: () => ({}),
    log: { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore },
  });
  const server = createServer(app);
  beforeAll(() => new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); }));
  afterAll(() => new Promise<void>((resolve) => { server.close(() => { resolve(); }); }));

  test.each(scenarios)('are probed at paths that the admin port answers: %s', async (scenario) => {
    const [container] = nodePod(objectsOf(scenario)).spec.containers;
    const { port } = server.address() as AddressInfo;
    for (const probe of [container?.startupProbe, container?.livenessProbe, container?.readinessProbe]) {
      expect(probe?.httpGet?.port).toBe('admin');
      expect((await fetch(`http://127.0.0.1:${port}${probe?.httpGet?.path ?? ''}`)).status, probe?.httpGet?.path).toBe(200);
    }
  });

  test('may take as long to start as the stores may be away, and a minute', () => {
    const allowed = (scenario: string): number => {
      const probe = nodePod(objectsOf(scenario)).spec.containers[0]!.startupProbe!;
      return probe.periodSeconds * probe.failureThreshold;
    };
    expect([allowed('default-minimal'), allowed('everything-on')]).toEqual([120, 180]);
  });

  test('are replaced without a moment in which one is missing', () => {
    expect(objectOf(objectsOf('default-minimal'), 'Deployment').spec).toMatchObject({ replicas: 3, strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } });
  });

  test('are spread over zones and machines', () => {
    const spread = (scenario: string) => nodePod(objectsOf(scenario)).spec.topologySpreadConstraints?.map(({ topologyKey }) => topologyKey);
    expect([spread('default-minimal'), spread('everything-on')]).toEqual([['topology.kubernetes.io/zone', 'kubernetes.io/hostname'], ['topology.kubernetes.io/zone']]);
    for (const scenario of scenarios) {
      const { labels, spec } = nodePod(objectsOf(scenario));
      for (const { labelSelector } of spec.topologySpreadConstraints ?? []) expect(answers(labels, labelSelector.matchLabels)).toBe(true);
    }
  });

  test('keep the first process of the image, which waits for the courier', () => {
    const { spec } = nodePod(objectsOf('default-minimal'));
    expect(spec.shareProcessNamespace).toBe(false);
    expect(Object.keys(spec.containers[0]!)).not.toEqual(expect.arrayContaining(['command']));
    expect(Object.keys(spec.containers[0]!)).not.toEqual(expect.arrayContaining(['args']));
  });

  test('have a journal that outlives a container, or a pod where that is asked for', () => {
    expect(nodePod(objectsOf('default-minimal')).spec.volumes).toContainEqual({ name: 'journal', emptyDir: {} });
    expect(nodePod(objectsOf('persistent-journal'))).toMatchObject({ owner: { kind: 'StatefulSet', spec: { persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' } } }, claims: ['journal'] });
  });

  test('are not counted where their number follows the load', () => {
    for (const [scenario, kind] of [['everything-on', 'Deployment'], ['persistent-journal', 'StatefulSet']] as const) {
      expect(objectOf(objectsOf(scenario), kind).spec).not.toHaveProperty('replicas');
      expect(objectOf(objectsOf(scenario), 'HorizontalPodAutoscaler').spec).toMatchObject({ scaleTargetRef: { apiVersion: 'apps/v1', kind, name: 'tokens-token-pool-service' } });
    }
  });

  test('are replaced when a setting or a secret changes, and else not', async () => {
    const sums = async (...more: readonly string[]) => nodePod(await render('sentinel', ...more)).annotations;
    const before = await sums();
    expect(await sums('--set', 'ingress.className=a')).toEqual(before);
    expect((await sums('--set', 'config.waitingTimeForToken=300'))['checksum/config']).not.toBe(before['checksum/config']);
    expect((await sums('--set', 'externalRedis.password=other'))['checksum/secret']).not.toBe(before['checksum/secret']);
  }, patience);
});

describe.skipIf(helm === undefined)(`who reaches what${withoutHelm}`, () => {
  test('an Ingress leads to the application port alone', () => {
    for (const scenario of ['everything-on', 'tls']) {
      const text = JSON.stringify(objectOf(objectsOf(scenario), 'Ingress').spec);
      expect([...text.matchAll(/"service":(\{.*?\}\})/g)].map(([, service]) => service)).toEqual(expect.arrayContaining(['{"name":"tokens-token-pool-service","port":{"name":"application"}}']));
      expect(text).not.toContain('admin');
    }
  });

  test('a policy lets callers to one port, operators to the other', () => {
    const { ingress } = objectOf(objectsOf('everything-on'), 'NetworkPolicy').spec as { ingress: { ports: { port: string }[]; from?: { podSelector?: { matchLabels?: Record<string, string> } }[] }[] };
    expect(ingress.map(({ ports, from }) => [ports[0]?.port, from?.length])).toEqual([['application', 2], ['admin', 2]]);
    // Or `helm test` would fail where callers are named.
    const tester = podsOf(objectsOf('everything-on')).find(({ owner }) => owner.kind === 'Pod');
    expect(ingress.map(({ from = [] }) => from.some(({ podSelector }) => podSelector !== undefined && answers(tester?.labels, podSelector.matchLabels ?? {})))).toEqual([true, true]);
  });

  test.each([
    ['sentinel', [3306, 6379, 26379, 443]],
    ['cluster', [3306, 6379, 6380, 443]],
    ['everything-on', [3306, 6379, 443, 8443, 465]],
  ])('a restricted node of the scenario %s reaches its stores, mail and token endpoints', (scenario, ports) => {
    const { egress } = objectOf(objectsOf(scenario), 'NetworkPolicy').spec as { egress: { ports?: { port: number }[] }[] };
    expect(egress[0]?.ports?.map(({ port }) => port)).toEqual([53, 53]);
    expect(egress[1]?.ports?.map(({ port }) => port)).toEqual(ports);
  });

  test('Prometheus finds the admin Service, and no other', () => {
    for (const [scenario, scheme] of [['everything-on', 'http'], ['tls', 'https']] as const) {
      const { selector, endpoints } = objectOf(objectsOf(scenario), 'ServiceMonitor').spec as { selector: { matchLabels: Record<string, string> }; endpoints: { port: string; path: string; scheme: string }[] };
      const found = objectsOf(scenario).filter(({ kind, metadata }) => kind === 'Service' && answers(metadata.labels, selector.matchLabels));
      expect(found.map(({ metadata }) => metadata.name)).toEqual(['tokens-token-pool-service-admin']);
      expect(endpoints).toEqual([expect.objectContaining({ port: 'admin', path: '/metrics', scheme })]);
    }
  });
});

test.skipIf(helm === undefined || !existsSync(dockerfile))('the chart knows the image: its user, its journal, and that it serves by itself', async () => {
  const image = readFileSync(dockerfile, 'utf8');
  const { spec } = nodePod(await render('default-minimal'));
  expect(image).toContain(`USER ${String(spec.securityContext?.runAsUser)}:`);
  expect(image).toContain(`VOLUME ${spec.containers[0]!.volumeMounts.find(({ name }) => name === 'journal')!.mountPath}\n`);
  expect(image).toContain('CMD ["server"]');
});

function ignore(): void {
  // Nothing of these tests is about the log.
}
