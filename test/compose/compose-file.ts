import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import Ajv from 'ajv';
import { parse } from 'yaml';

export const deploy = join(import.meta.dirname, '../../deploy');

/** As much of a service as the tests look at; the file uses no other forms of these. */
export interface ComposeService {
  readonly image: string;
  readonly build?: { readonly context: string };
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly secrets?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly read_only?: boolean;
  readonly init?: boolean;
  readonly tmpfs?: readonly string[];
  readonly stop_grace_period?: string;
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

export interface Mount {
  /** An absolute path of this machine, or the name of a volume. */
  readonly source: string;
  readonly target: string;
  readonly isVolume: boolean;
}

const text = readFileSync(join(deploy, 'docker-compose.yml'), 'utf8');

/** The file as compose reads it on a machine whose environment says nothing. */
export const compose = parse(text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1').replaceAll('$$', '$'), { merge: true }) as ComposeFile;

/** Its variables with what it takes where they are not set. */
export const defaults: ReadonlyMap<string, string> = new Map([...text.matchAll(/\$\{(\w+):-([^}]*)\}/g)].map(([, name = '', value = '']) => [name, value]));

export const nodes = ['node-1', 'node-2', 'node-3'] as const;

export function service(name: string): ComposeService {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`there is no service ${name}`);
  return found;
}

export function environmentOf(name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(service(name).environment ?? {}).map(([key, value]) => [key, String(value)]));
}

export function mountsOf(name: string): Mount[] {
  return (service(name).volumes ?? []).map((volume) => {
    const [source = '', target = ''] = volume.split(':');
    const isVolume = !source.startsWith('.');
    return { source: isVolume ? source : resolve(deploy, source), target, isVolume };
  });
}

/** The scripts that the image of MySQL runs in a new database, in its order. */
export function databaseScripts(): Mount[] {
  const scripts = mountsOf('mysql').filter(({ target }) => target.startsWith('/docker-entrypoint-initdb.d/'));
  return scripts.sort((a, b) => (a.target < b.target ? -1 : 1));
}

/** What the schema of the Compose Specification says against a file. */
export function complaints(file: unknown): string[] {
  const schema = JSON.parse(readFileSync(join(import.meta.dirname, 'compose-spec.json'), 'utf8')) as object;
  const validate = new Ajv({ allErrors: true }).compile(schema);
  return validate(file) === true ? [] : (validate.errors ?? []).map(({ dataPath, message = '', params }) => `${dataPath} ${message} ${JSON.stringify(params)}`);
}
