import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { journalFileName } from '../../../src/journal/journal-file.ts';
import { writeRecord } from '../../../src/journal/record.ts';
import { KeyRing } from '../../../src/runtime/key-ring.ts';
import type { Evidence } from '../evidence.ts';
import { attemptsKept } from './kept-answers.ts';
import { untilRecorded } from './until-recorded.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kept-'));
  const entries = [{ attempt: 'sent', phase: 'sending' }, { attempt: 'journalled', phase: 'granted' }] as const;
  await writeFile(join(folder, journalFileName(1, 'a')), entries.map((entry) => writeRecord({ ...entry, payload: '' }, 1, new KeyRing([]))).join(''));
});
afterAll(() => rm(folder, { recursive: true }));

/** @param waiting the attempts that hold a row, at each look */
function evidenceOf(waiting: () => readonly string[]): Evidence {
  const redis = { hkeys: async (key: string) => (key === 'pool:{pending}' ? ['pending'] : []) };
  return { redis, redisPrefix: 'pool', journalFolders: [folder], seenOnDisk: ['seen'], record: { query: async () => waiting().map((attempt) => ({ attempt })) } } as unknown as Evidence;
}

it('what a journal granted, what Redis holds and what was seen on a disk is kept', async () => {
  expect([...(await attemptsKept(evidenceOf(() => [])))].sort()).toEqual(['journalled', 'pending', 'seen']);
});

it('where no row waits for what was kept, nothing is waited for', async () => {
  const begun = performance.now();
  expect(await untilRecorded(evidenceOf(() => ['sent', 'another']))).toBe(true);
  expect(performance.now() - begun).toBeLessThan(5000);
});

it.each(['journalled', 'pending', 'seen'])('an answer that is kept (%s) and not recorded is waited for', async (attempt) => {
  const looks = [[attempt], [attempt], []];
  expect(await untilRecorded(evidenceOf(() => looks.shift() ?? []))).toBe(true);
  expect(looks).toEqual([]);
});

it('but not for ever', async () => {
  expect(await untilRecorded(evidenceOf(() => ['journalled']), 300)).toBe(false);
});
