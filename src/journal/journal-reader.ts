import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { KeyRing } from '../runtime/key-ring.ts';
import { begunAtOf } from './journal-file.ts';
import { longestWritingMs } from './journal.ts';
import { readAnswer, type KeptAnswer } from './kept-answer.ts';
import { readRecord, unsealRecord, type JournalRecord } from './record.ts';

/** Every record of every file, in the order of writing; torn and unknown lines are passed over. No folder, no records. */
export async function* readJournals(folder: string, ring: KeyRing): AsyncGenerator<JournalRecord> {
  for (const file of await journalFiles(folder)) {
    for (const line of await linesOf(join(folder, file.name))) {
      const record = readRecord(line);
      if (record !== undefined) yield unsealRecord(record, ring);
    }
  }
}

/** The granted answers that this machine kept, or only that of one attempt; one whose key is not in the ring is passed over. */
export async function* keptAnswers(folder: string, ring: KeyRing, attempt?: string): AsyncGenerator<KeptAnswer> {
  for await (const record of readJournals(folder, ring)) {
    if (record.phase !== 'granted' || record.payload === null) continue;
    if (attempt === undefined || attempt === record.attempt) yield readAnswer(record.payload);
  }
}

const readableAfterMs = 15 * 60_000;

/**
 * Removes the files that were begun more than `olderThanMs` ago (at least twice as long as a file is written to) and whose attempts
 * are all settled. A file with a whole line that cannot be read stays: it may be of a later version.
 * @returns how many files were removed
 */
export async function discardSettled(
  folder: string,
  isSettled: (attempt: string) => Promise<boolean>,
  olderThanMs: number = readableAfterMs,
): Promise<number> {
  const begunBefore = Date.now() - Math.max(olderThanMs, 2 * longestWritingMs);
  let removed = 0;
  for (const file of await journalFiles(folder)) {
    if (file.begunAt >= begunBefore || !(await holdsOnlySettled(join(folder, file.name), isSettled))) continue;
    await rm(join(folder, file.name), { force: true });
    removed += 1;
  }
  return removed;
}

async function holdsOnlySettled(path: string, isSettled: (attempt: string) => Promise<boolean>): Promise<boolean> {
  const attempts = new Set<string>();
  for (const line of await linesOf(path)) {
    const record = readRecord(line);
    if (record === undefined) return false;
    attempts.add(record.attempt);
  }
  for (const attempt of attempts) {
    if (!(await isSettled(attempt))) return false;
  }
  return true;
}

async function journalFiles(folder: string): Promise<{ name: string; begunAt: number }[]> {
  const names = await readdir(folder).catch(unlessMissing<string[]>([]));
  const files = names.map((name) => ({ name, begunAt: begunAtOf(name) ?? -1 })).filter(({ begunAt }) => begunAt >= 0);
  return files.sort((a, b) => a.begunAt - b.begunAt);
}

/** Without what follows the last newline: nobody was told that it is kept. */
async function linesOf(path: string): Promise<string[]> {
  return (await readFile(path, 'utf8').catch(unlessMissing(''))).split('\n').slice(0, -1);
}

/** Another reader may have removed it in the meantime. */
function unlessMissing<T>(nothing: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return nothing;
    throw error;
  };
}
