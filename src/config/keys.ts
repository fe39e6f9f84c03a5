import { z } from 'zod';

import { facts } from './leaf.ts';
import type { KeyFacts } from './leaf.ts';
import { schema } from './schema.ts';

/** A place in the configuration: `server.applicationConnectors[].port`, with `[]` for each item of a list. */
export interface KeyNode {
  readonly path: string;
  readonly kind: 'value' | 'list' | 'section';
  /** `TOKENPOOL_SERVER_APPLICATION_CONNECTORS_<n>_PORT`, with `<n>` counting from 0. */
  readonly environment: string;
  /** Sections that only group others have none. */
  readonly facts?: KeyFacts | undefined;
}

export interface KeyDescription extends KeyFacts {
  readonly path: string;
  readonly environment: string;
}

export const environmentPrefix = 'TOKENPOOL_';

/** Every place there is, in the order of the schema. */
export const keyNodes: readonly KeyNode[] = nodesIn(schema, '');

/** Every key that can be set, with what there is to say of it. */
export function describeKeys(): KeyDescription[] {
  return keyNodes.flatMap(({ path, environment, facts: known }) => (known ? [{ path, environment, ...known }] : []));
}

function nodesIn(given: z.core.$ZodType, path: string): KeyNode[] {
  const inner = unwrap(given);
  const node = { path, environment: environmentName(path), facts: facts.get(given as z.ZodType) };
  if (inner instanceof z.ZodObject) {
    const children = Object.entries(inner.shape as Record<string, z.core.$ZodType>).flatMap(([key, child]) => nodesIn(child, path === '' ? key : `${path}.${key}`));
    return path === '' ? children : [{ ...node, kind: 'section' }, ...children];
  }
  if (inner instanceof z.ZodArray) return [{ ...node, kind: 'list' }, ...nodesIn(inner.element, `${path}[]`)];
  return [{ ...node, kind: inner instanceof z.ZodRecord ? 'section' : 'value' }];
}

/** Without what stands around an object, list or value: its preparation, its defaults, its conversion. */
function unwrap(given: z.core.$ZodType): z.core.$ZodType {
  if (given instanceof z.ZodPipe) return unwrap(given.def.in instanceof z.ZodTransform ? given.def.out : given.def.in);
  return given instanceof z.ZodOptional ? unwrap(given.def.innerType) : given;
}

function environmentName(path: string): string {
  const parts = path.replaceAll('[]', '.<n>').split('.');
  return environmentPrefix + parts.map((part) => (part === '<n>' ? part : part.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase())).join('_');
}
