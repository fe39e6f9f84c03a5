/**
 * Makes definitions.json from an unpacked `kubernetes-validate` (see README.md of this folder):
 *
 *   node test/helm/kubernetes/extract-definitions.ts path/to/kubernetes_validate/kubernetes-json-schema
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Definition, Definitions } from './api-schemas.ts';

/** The oldest version that the chart supports; `kubeVersion` of Chart.yaml says the same. */
const oldest = 31;

const kinds = {
  'v1/ConfigMap': 'io.k8s.api.core.v1.ConfigMap',
  'v1/Pod': 'io.k8s.api.core.v1.Pod',
  'v1/Secret': 'io.k8s.api.core.v1.Secret',
  'v1/Service': 'io.k8s.api.core.v1.Service',
  'v1/ServiceAccount': 'io.k8s.api.core.v1.ServiceAccount',
  'apps/v1/Deployment': 'io.k8s.api.apps.v1.Deployment',
  'apps/v1/StatefulSet': 'io.k8s.api.apps.v1.StatefulSet',
  'autoscaling/v2/HorizontalPodAutoscaler': 'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler',
  'batch/v1/Job': 'io.k8s.api.batch.v1.Job',
  'networking.k8s.io/v1/Ingress': 'io.k8s.api.networking.v1.Ingress',
  'networking.k8s.io/v1/NetworkPolicy': 'io.k8s.api.networking.v1.NetworkPolicy',
  'policy/v1/PodDisruptionBudget': 'io.k8s.api.policy.v1.PodDisruptionBudget',
} as const;

type Raw = Record<string, unknown>;

const [source] = process.argv.slice(2);
if (source === undefined) throw new Error('Name the folder kubernetes-json-schema of kubernetes-validate');
writeFileSync(join(import.meta.dirname, 'definitions.json'), printed(extract(source)));

function extract(folder: string): Definitions {
  const minors = readdirSync(folder).flatMap((name) => /^v1\.(\d+)\.0-local-strict$/.exec(name)?.[1] ?? []).map(Number);
  const wanted = minors.filter((minor) => minor >= oldest).sort((a, b) => a - b);
  const definitions: Record<string, { from: string; schema: Definition }[]> = {};
  for (const minor of wanted) {
    const read = JSON.parse(readFileSync(join(folder, `v1.${minor}.0-local-strict`, '_definitions.json'), 'utf8')) as { $defs: Record<string, Raw> };
    for (const [name, schema] of reachable(read.$defs)) {
      const known = (definitions[name] ??= []);
      if (JSON.stringify(known.at(-1)?.schema) !== JSON.stringify(schema)) known.push({ from: `1.${minor}`, schema });
    }
  }
  return { versions: wanted.map((minor) => `1.${minor}`), kinds, definitions };
}

function reachable(all: Readonly<Record<string, Raw>>): Map<string, Definition> {
  const found = new Map<string, Definition>();
  const follow = (name: string): void => {
    if (found.has(name)) return;
    const schema = plain(all[name]) as Definition;
    found.set(name, schema);
    for (const [, next = ''] of JSON.stringify(schema).matchAll(/"#\/definitions\/([^"]+)"/g)) follow(next);
  };
  for (const name of Object.values(kinds)) {
    delete (all[name]!['properties'] as Raw)['status'];
    follow(name);
  }
  return found;
}

/**
 * Without prose, without formats, which say more of a client's types than of what the API takes, and without null: the
 * API drops what is null, but a chart that renders it meant something else.
 */
function plain(value: unknown, isProperties = false): unknown {
  if (Array.isArray(value)) return value.map((item) => plain(item));
  if (typeof value !== 'object' || value === null) return value;
  const left = Object.entries(value).filter(([key]) => isProperties || (!['description', 'format', 'default'].includes(key) && !key.startsWith('x-')));
  return Object.fromEntries(left.map(([key, held]) => [key, isProperties ? plain(held) : plainKeyword(key, held)]));
}

function plainKeyword(keyword: string, held: unknown): unknown {
  if (keyword === '$ref') return String(held).replace(/^.*\/\$defs\//, '#/definitions/');
  if (keyword === 'type' && Array.isArray(held)) return held.find((type) => type !== 'null');
  if (keyword === 'enum' && Array.isArray(held)) return held.filter((item) => item !== null);
  return plain(held, keyword === 'properties');
}

/** A line for each definition, so that a new version shows as what it changed. */
function printed({ versions, kinds: byKind, definitions }: Definitions): string {
  const lines = Object.entries(definitions).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, known]) => {
    const variants = known.map((variant) => `    ${JSON.stringify(variant)}`).join(',\n');
    return `  ${JSON.stringify(name)}: [\n${variants}\n  ]`;
  });
  return `{\n"versions": ${JSON.stringify(versions)},\n"kinds": ${JSON.stringify(byKind, undefined, 2)},\n"definitions": {\n${lines.join(',\n')}\n}\n}\n`;
}
