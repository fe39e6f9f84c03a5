import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import type { Rendered } from './chart.ts';
import { filesIn } from './pods.ts';
import type { Container, PodSpec, Volume } from './pods.ts';

/** What stands in the Secrets and ConfigMaps that others make. */
const foreign: Readonly<Record<string, string>> = {
  'sealing/key-2026': Buffer.alloc(32, 6).toString('base64'),
  'sealing/key-2025': Buffer.alloc(32, 5).toString('base64'),
  'redis-login/url': 'rediss://tokens:sample@redis.example.com:6380/2',
};

/** Lays the files of a pod's first container out below a folder, where the kubelet would mount them. */
export function layOut(objects: readonly Rendered[], spec: PodSpec, folder: string): void {
  for (const { name, mountPath } of spec.containers[0]!.volumeMounts) {
    const volume = spec.volumes?.find((one) => one.name === name);
    const files = volume === undefined ? [] : [...filesIn(volume), ...wholeConfigMap(objects, volume)];
    for (const file of files) place(join(folder, mountPath, file.path), contentOf(objects, file));
  }
}

/** The variables of a container, their paths below that folder. */
export function environmentOf({ env = [] }: Container, folder: string): Record<string, string> {
  return Object.fromEntries(env.map(({ name, value = '' }) => [name, inFolder(value, folder)]));
}

/** A text with the paths in it below that folder. */
export function inFolder(text: string, folder: string): string {
  return text.replaceAll(/(?<=^|[\s"'])\/(?=(run|etc|var|scripts)\b)/g, `${folder}/`);
}

/** Nothing looks into it before there is a connection. */
export function pem(text: string): string {
  const label = text.endsWith('.key') ? 'PRIVATE KEY' : 'CERTIFICATE';
  return `-----BEGIN ${label}-----\n${btoa(text)}\n-----END ${label}-----`;
}

interface File { readonly kind: string; readonly name: string; readonly key: string; readonly path: string }

function wholeConfigMap(objects: readonly Rendered[], { configMap }: Volume): File[] {
  if (configMap === undefined || configMap.items !== undefined) return [];
  const { data = {} } = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMap.name) ?? {};
  return Object.keys(data).map((key) => ({ kind: 'ConfigMap', name: configMap.name, key, path: key }));
}

function contentOf(objects: readonly Rendered[], { kind, name, key }: File): string {
  const object = objects.find((one) => one.kind === kind && one.metadata.name === name);
  if (object === undefined) return foreign[`${name}/${key}`] ?? pem(`${name}/${key}`);
  const text = object.data![key]!;
  return kind === 'Secret' ? Buffer.from(text, 'base64').toString() : text;
}

function place(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
