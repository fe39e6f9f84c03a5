import { readFileSync } from 'node:fs';

import { isMap, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import type { Document } from 'yaml';

import type { Fault } from './faults.ts';
import { codeOf } from './leaves.ts';

/** What a file says before anything is made of it: every value is text, or null where there is none. */
export type Tree = { [key: string]: RawValue };
export type RawValue = string | null | Tree | RawValue[];

export interface ReadTree {
  readonly tree: Tree;
  readonly faults: readonly Fault[];
  readonly warnings: readonly string[];
}

/** Reads a configuration file. No fault repeats a line of it: there may be a password on it. */
export function readTree(file: string): ReadTree {
  const nothing = (problem: string): ReadTree => ({ tree: {}, faults: [{ path: file, problem }], warnings: [] });
  const text = textOf(file);
  if (typeof text === 'object') return nothing(`the file cannot be read (${text.code})`);
  const lines = new LineCounter();
  const document = parseYaml(text, lines);
  const faults = document.errors.map(({ code, linePos }): Fault => (
    { path: file, problem: `not valid YAML${linePos ? ` in line ${linePos[0].line}` : ''} (${code.toLowerCase().replaceAll('_', ' ')})` }
  ));
  if (faults.length > 0) return { tree: {}, faults, warnings: [] };
  const tree = valueOf(document);
  if (tree === undefined) return nothing('not valid YAML (an alias without its anchor, or too many of them)');
  if (tree === null) return { tree: {}, faults, warnings: [] };
  return isTree(tree) ? { tree, faults, warnings: duplicates(document, lines, file) } : nothing('found no keys at its top level; allowed: keys and their values');
}

/** A list or section from an environment variable: JSON, or YAML in flow style. Undefined: it is neither. */
export function parseInline(text: string): RawValue | undefined {
  const document = parseYaml(text, new LineCounter());
  return document.errors.length > 0 ? undefined : valueOf(document);
}

function textOf(file: string): string | { readonly code: string } {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return { code: codeOf(error) };
  }
}

function valueOf(document: Document.Parsed): RawValue | undefined {
  try {
    return document.toJS() as RawValue;
  } catch {
    return undefined;
  }
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Scalars stay text, so that a password such as `0123` is not taken for a number; types come from the schema alone. */
function parseYaml(text: string, lineCounter: LineCounter): Document.Parsed {
  return parseDocument(text, { schema: 'failsafe', customTags: (tags) => [...tags, 'null'], uniqueKeys: false, lineCounter });
}

/** The Java service took the last one silently; so may no file fail here for it. */
function duplicates(document: Document.Parsed, lines: LineCounter, file: string): string[] {
  const found: string[] = [];
  visit(document, {
    Map: (_, map) => {
      const seen = new Set<unknown>();
      for (const { key } of isMap(map) ? map.items : []) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) found.push(`${file}: the key "${String(key.value)}" stands there a second time in line ${lines.linePos(key.range?.[0] ?? 0).line}; the last one holds`);
        seen.add(key.value);
      }
    },
  });
  return found;
}
