import { execFile } from 'node:child_process';
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

import { parseAllDocuments } from 'yaml';

import { kubernetesVersions } from './kubernetes/api-schemas.ts';

export const root = join(import.meta.dirname, '../..');
export const chart = join(root, 'helm/token-pool-service');

/** The real helm of the machine, or the one that the launcher put into .runtime/; undefined where there is neither. */
export const helm = findHelm();

/** What stands in the name of tests that are left out without helm. */
export const withoutHelm = helm === undefined ? ' (left out: this machine has no helm, nor Go to build it with)' : '';

/** Values files of ci/, by the names of their scenarios. */
export const scenarios = readdirSync(join(chart, 'ci')).map((name) => name.replace(/-values\.yaml$/, '')).sort();

/** A rendered object; what a test looks at it finds there or fails. */
export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> };
  readonly spec?: unknown;
  readonly data?: Record<string, string>;
  /** The template that it comes from: `templates/service.yaml`. */
  readonly source: string;
}

export interface HelmAnswer {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

const newest = kubernetesVersions.at(-1) ?? '';

/** Runs helm, with nothing of the user's own settings. */
export async function runHelm(...args: readonly string[]): Promise<HelmAnswer> {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', HELM_CACHE_HOME: '/nonexistent', HELM_CONFIG_HOME: '/nonexistent', HELM_DATA_HOME: '/nonexistent' };
  try {
    const { stdout, stderr } = await promisify(execFile)(helm ?? 'helm', args, { env, maxBuffer: 32 * 1024 * 1024 });
    return { ok: true, stdout, stderr };
  } catch (error) {
    const { stdout = '', stderr = '' } = error as Partial<HelmAnswer>;
    if (stdout === '' && stderr === '') throw error;
    return { ok: false, stdout, stderr };
  }
}

export function valuesOf(scenario: string): string {
  return join(chart, 'ci', `${scenario}-values.yaml`);
}

/** `helm template` of a scenario. @param more arguments, such as `--set` */
export function template(scenario: string, ...more: readonly string[]): Promise<HelmAnswer> {
  return runHelm('template', 'tokens', chart, '--namespace', 'oauth', '--kube-version', `${newest}.0`, '-f', valuesOf(scenario), ...more);
}

const known = new Map<string, Promise<readonly Rendered[]>>();

/** The objects of a scenario, as they would be given to Kubernetes; rendered once for the same arguments. */
export function render(scenario: string, ...more: readonly string[]): Promise<readonly Rendered[]> {
  const key = [scenario, ...more].join(' ');
  const objects = known.get(key) ?? renderAnew(scenario, ...more);
  known.set(key, objects);
  return objects;
}

/** As `render`, by a run of its own. */
export async function renderAnew(scenario: string, ...more: readonly string[]): Promise<readonly Rendered[]> {
  const { ok, stdout, stderr } = await template(scenario, ...more);
  if (!ok) throw new Error(stderr);
  return parseAllDocuments(stdout).flatMap((document) => {
    const [, source = ''] = /Source: [^/]+\/(\S+)/.exec(document.commentBefore ?? document.contents?.commentBefore ?? '') ?? [];
    const object = document.toJS() as Omit<Rendered, 'source'> | null;
    return object === null ? [] : [{ ...object, source }];
  });
}

/** The one object of a kind whose name is that of the release, and `suffix`. */
export function objectOf(objects: readonly Rendered[], kind: string, suffix = ''): Rendered {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name === `tokens-token-pool-service${suffix}`);
  if (found.length !== 1) throw new Error(`${found.length} of ${kind} ${suffix}`);
  return found[0]!;
}

export function readChartFile(name: string): string {
  return readFileSync(join(chart, name), 'utf8');
}

function findHelm(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), join(root, '.runtime/bin')];
  return folders.map((folder) => join(folder, 'helm')).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
