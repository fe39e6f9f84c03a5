import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { guards, removeGuards, schemaRemovals } from './guards.ts';

const [{ module, text }] = guards.journal;

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tps-guards-'));
  mkdirSync(join(root, 'journal'));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

/** From what was built as `source`. */
function removal(source: string): () => void {
  writeFileSync(join(root, module), source);
  return () => { removeGuards(pathToFileURL(`${root}/`), ['journal']); };
}

describe('A guard that is to be taken out', () => {
  it('must be there', () => {
    expect(removal('append(entry) { return this.#write(entry); }')).toThrow('has the text of a guard 0 times instead of once');
  });

  it('must not be there twice', () => {
    expect(removal(`${text}\n${text}`)).toThrow('has the text of a guard 2 times instead of once');
  });

  it('must have its module', () => {
    expect(() => { removeGuards(pathToFileURL(`${root}/`), ['version check in Redis']); }).toThrow('ENOENT');
  });

  it('is in the database, or in a module', () => {
    expect(schemaRemovals(['unique parent', 'journal'])).toEqual([guards['unique parent'][0].sql]);
  });
});
