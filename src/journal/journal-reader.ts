import { createReadStream } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { KeyRing } from '../runtime/key-ring.ts';
import { begunAtOf } from './journal-file.ts';
import { longestWritingMs } from './journal.ts';
import { readAnswer, type KeptAnswer } from './kept-answer.ts';
import { readRecord, unsealRecord, type JournalRecord, type SealedRecord } from './record.ts';

/** Every record of every file, in the order of writing; torn and unknown lines are passed over. No folder, no records. */
export async function* readJournals(folder: string, ring: KeyRing): AsyncGenerator<JournalRecord> {
  for await (const record of sealedRecords(folder)) yield unsealRecord(record, ring);
}

/** The granted answers that this machine kept of the attempts that are wanted; one whose key is not in the ring is passed over. */
export async function* keptAnswers(folder: string, ring: KeyRing, isWanted: (attempt: string) => boolean = () => true): AsyncGenerator<KeptAnswer> {
  for await (const record of sealedRecords(folder)) {
    if (record.phase !== 'granted' || !isWanted(record.attempt)) continue;
    const { payload } = unsealRecord(record, ring);
    if (payload !== null) yield readAnswer(payload);
  }
}

/** The attempts of which an answer was kept; nothing is unsealed. */
export async function* keptAttempts(folder: string): AsyncGenerator<string> {
  for await (const record of sealedRecords(folder)) if (record.phase === 'granted') yield record.attempt;
}

async function* sealedRecords(folder: string): AsyncGenerator<SealedRecord> {
  for (const file of await journalFiles(folder)) {
    for await (const line of linesOf(join(folder, file.name))) {
      const record = readRecord(line);
      if (record !== undefined) yield record;
    }
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
  for await (const line of linesOf(path)) {
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

/** Without what follows the last newline: nobody was told that it is kept. A file that another reader removed meanwhile has no lines. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const chunk of createReadStream(path, { encoding: 'utf8' }) as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (error) {
    unlessMissing(undefined)(error as NodeJS.ErrnoException);
  }
}

function unlessMissing<T>(nothing: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return nothing;
    throw error;
  };
}
