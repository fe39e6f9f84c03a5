import type { z } from 'zod';

import { keyNodes } from './keys.ts';
import { describeFound } from './leaf.ts';
import { nearest } from './near.ts';
import type { RawValue, Tree } from './tree.ts';

/** One thing that is wrong. Neither part shows a secret. */
export interface Fault {
  /** `refresh.jitter`, or the name of a file or environment variable. */
  readonly path: string;
  /** What was found, and what is allowed. */
  readonly problem: string;
}

/** All that is wrong with the configuration, one line each. */
export class ConfigError extends Error {
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    const lines = faults.map(({ path, problem }) => `  ${path}: ${problem}`);
    super(`The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${lines.join('\n')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/** What zod found, in our words. @param origins environment variable by the path that it set */
export function faultsIn(issues: readonly z.core.$ZodIssue[], tree: Tree, origins: ReadonlyMap<string, string>): Fault[] {
  return issues.flatMap((issue): Fault[] => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(issue.path, key, origins));
    const path = pathText(issue.path);
    return [{ path, problem: problemOf(issue, tree) + originOf(path, origins) }];
  });
}

/** `server.applicationConnectors[0].port` */
export function pathText(path: readonly PropertyKey[]): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`)).join('');
}

export function didYouMean(written: string, words: readonly string[]): string {
  const word = nearest(written, words);
  return word === undefined ? '' : `; did you mean "${word}"?`;
}

function problemOf(issue: z.core.$ZodIssue, tree: Tree): string {
  if (issue.code !== 'invalid_type') return issue.message;
  const found = issue.path.reduce<RawValue | undefined>((value, part) => (value as Record<PropertyKey, RawValue> | undefined)?.[part], tree);
  return `${describeFound(found, true)}; allowed: ${issue.expected === 'array' ? 'a list' : 'a section with keys of its own'}`;
}

function unknownKey(parent: readonly PropertyKey[], key: string, origins: ReadonlyMap<string, string>): Fault {
  const path = pathText([...parent, key]);
  const known = keysUnder(pathText(parent));
  const hint = didYouMean(key, known) || `; allowed: ${known.join(', ')}`;
  return { path, problem: `unknown key${hint}${originOf(path, origins)}` };
}

function keysUnder(parent: string): string[] {
  const prefix = parent === '' ? '' : `${parent.replace(/\[\d+\]/g, '[]')}.`;
  const below = keyNodes.filter(({ path }) => path.startsWith(prefix)).map(({ path }) => path.slice(prefix.length));
  return below.filter((rest) => /^\w+$/.test(rest));
}

/** The nearest place, upwards, that an environment variable set. */
function originOf(path: string, origins: ReadonlyMap<string, string>): string {
  for (let place = path; place !== ''; place = place.replace(/(?:^|\.)[^.[]+$|\[\d+\]$/, '')) {
    const origin = origins.get(place);
    if (origin !== undefined) return ` (from ${origin})`;
  }
  return '';
}
