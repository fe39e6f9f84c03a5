import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import Ajv from 'ajv';

/** A JSON schema (draft 4 to 7); references are to `#/definitions/<name>`. */
export type Definition = Readonly<Record<string, unknown>>;

export interface Definitions {
  /** Of Kubernetes, oldest first: `1.31`. */
  readonly versions: readonly string[];
  /** Name of the definition by `apiVersion/kind`. */
  readonly kinds: Readonly<Record<string, string>>;
  /** What a definition is from a version on, until the next. */
  readonly definitions: Readonly<Record<string, readonly { readonly from: string; readonly schema: Definition }[]>>;
}

/** An object as it is given to the API. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
}

const kubernetes = readJson('definitions.json') as Definitions;
const operator = readJson('prometheus-operator.json') as Readonly<Record<string, Definition>>;

export const kubernetesVersions = kubernetes.versions;

/**
 * What the API of this version would complain of in an object: unknown fields, missing ones, wrong types.
 * Kinds of the Prometheus operator have no version of Kubernetes.
 */
export function apiComplaints(object: KubernetesObject, version: string): string[] {
  const validate = validatorOf(`${object.apiVersion}/${object.kind}`, version);
  if (validate === undefined) return [`${object.apiVersion} ${object.kind} is not in the schemas`];
  if (validate(object) === true) return [];
  return (validate.errors ?? []).map(({ dataPath, message = '', params }) => `${dataPath} ${message} ${JSON.stringify(params)}`);
}

const validators = new Map<string, Ajv.ValidateFunction | undefined>();

function validatorOf(kind: string, version: string): Ajv.ValidateFunction | undefined {
  const key = `${version} ${kind}`;
  if (!validators.has(key)) validators.set(key, compile(kind, version));
  return validators.get(key);
}

function compile(kind: string, version: string): Ajv.ValidateFunction | undefined {
  const own = operator[kind];
  const name = kubernetes.kinds[kind];
  if (own === undefined && name === undefined) return undefined;
  const ajv = new Ajv({ allErrors: true, meta: true });
  return ajv.compile(own ?? { $ref: `#/definitions/${name ?? ''}`, definitions: definitionsOf(version) });
}

function definitionsOf(version: string): Record<string, Definition> {
  const upTo = kubernetes.versions.slice(0, kubernetes.versions.indexOf(version) + 1);
  return Object.fromEntries(Object.entries(kubernetes.definitions).flatMap(([name, variants]) => {
    const current = variants.findLast(({ from }) => upTo.includes(from));
    return current === undefined ? [] : [[name, current.schema]];
  }));
}

function readJson(name: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, name), 'utf8'));
}
