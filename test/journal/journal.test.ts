import { randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { AttemptRecorder } from '../../src/journal/attempt-recorder.ts';
import { JournalFile, journalFileName } from '../../src/journal/journal-file.ts';
import { discardSettled, keptAnswers, readJournals } from '../../src/journal/journal-reader.ts';
import { Journal } from '../../src/journal/journal.ts';
import { isAnswer, sealPending, unsealPending, type KeptEnd, type Pending } from '../../src/journal/kept-answer.ts';
import type { Phase } from '../../src/journal/record.ts';
import { KeyRing } from '../../src/runtime/key-ring.ts';

const ringNamed = (id: string): KeyRing => new KeyRing([{ id, key: new Secret(randomBytes(32).toString('base64')) }]);
const ring = ringNamed('one');
const entry = (attempt: string, phase: Phase = 'sending', payload = `payload of ${attempt}`) => ({ attempt, phase, payload });
const hour = 3_600_000;

let root: string;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tps-journal-'));
  folder = join(root, 'journal');
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(root, { recursive: true });
});

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

async function records(reading: KeyRing = ring) {
  return (await all(readJournals(folder, reading))).map(({ attempt, phase, payload }) => ({ attempt, phase, payload }));
}

async function written(...entries: ReturnType<typeof entry>[]): Promise<void> {
  const journal = new Journal(folder, ring);
  for (const each of entries) await journal.append(each);
  await journal.close();
}

/** The only file, as if it had been begun that long ago. */
async function aged(ms: number): Promise<void> {
  const [name = ''] = await readdir(folder);
  await writeFile(join(folder, journalFileName(Date.now() - ms, 'aged')), await readFile(join(folder, name)));
  await rm(join(folder, name));
}

describe('A journal', () => {
  it('gives back what was appended, in order', async () => {
    const entries = [entry('a'), entry('b'), entry('a', 'granted')];
    await written(...entries);
    expect(await records()).toEqual(entries);
  });

  it('is readable while it is written', async () => {
    const journal = new Journal(folder, ring);
    await journal.append(entry('a'));
    await journal.note(entry('a', 'refused'));
    expect(await records()).toHaveLength(2);
    await journal.close();
  });

  it('keeps nothing in the clear, in files for its own user only', async () => {
    await written(entry('a', 'granted', 'the token'));
    const [name = ''] = await readdir(folder);
    expect(await readFile(join(folder, name), 'utf8')).not.toContain('the token');
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
    expect(() => new Journal(folder, new KeyRing([]))).toThrow('without a key');
  });

  it('shares one sync among all that wait for the disk', async () => {
    const journal = new Journal(folder, ring);
    await journal.open();
    const appends = vi.spyOn(JournalFile.prototype, 'append');
    await Promise.all(Array.from({ length: 200 }, (_, i) => journal.append(entry(`a${i}`))));
    expect(appends.mock.calls.length).toBeLessThanOrEqual(3);
    expect(appends.mock.calls.every(([, durably]) => durably)).toBe(true);
    expect(await records()).toHaveLength(200);
    await journal.close();
  });

  it('does not sync for a mere note', async () => {
    const journal = new Journal(folder, ring);
    const appends = vi.spyOn(JournalFile.prototype, 'append');
    await journal.note(entry('a', 'refused'));
    expect(appends.mock.calls.map(([, durably]) => durably)).toEqual([false]);
    await journal.close();
  });

  it('begins a new file rather than append to one that is older than five minutes', async () => {
    const journal = new Journal(folder, ring);
    await journal.append(entry('a'));
    const age = vi.spyOn(JournalFile.prototype, 'ageMs', 'get').mockReturnValue(5 * 60_000 + 1);
    await journal.append(entry('b'));
    age.mockRestore();
    await journal.append(entry('c'));
    expect(await readdir(folder)).toHaveLength(2);
    expect((await records()).map(({ attempt }) => attempt).sort()).toEqual(['a', 'b', 'c']);
    await journal.close();
  });

  it('rejects while the disk cannot be written to, leaves nothing behind, and goes on when it can', async () => {
    await writeFile(folder, 'a file is in the way');
    const journal = new Journal(folder, ring);
    await expect(journal.open()).rejects.toThrow();
    await expect(journal.append(entry('a'))).rejects.toThrow();
    await rm(folder);
    await journal.append(entry('b'));
    expect((await records()).map(({ attempt }) => attempt)).toEqual(['b']);
    await journal.close();
  });

  it('does not fill a full disk with empty files, nor append behind a torn line', async () => {
    const journal = new Journal(folder, ring);
    await journal.append(entry('a'));
    const full = vi.spyOn(JournalFile.prototype, 'append').mockRejectedValue(new Error('ENOSPC'));
    for (const attempt of ['b', 'c', 'd']) await expect(journal.append(entry(attempt))).rejects.toThrow('ENOSPC');
    full.mockRestore();
    await journal.append(entry('e'));
    expect(await readdir(folder)).toHaveLength(2);
    expect((await records()).map(({ attempt }) => attempt)).toEqual(['a', 'e']);
    await journal.close();
  });
});

describe('Reading journals', () => {
  it('reads files that are larger than what is read at a time, with tokens of 8 KB', async () => {
    const journal = new Journal(folder, ring);
    await Promise.all(Array.from({ length: 100 }, (_, i) => journal.append(entry(`a${i}`, 'granted', 'é'.repeat(8192)))));
    expect((await records()).every(({ payload }) => payload === 'é'.repeat(8192))).toBe(true);
    expect(await records()).toHaveLength(100);
    await journal.close();
  });

  it('finds nothing where there is no folder', async () => {
    expect(await records()).toEqual([]);
  });

  it('passes over torn last lines, unknown lines and strange files', async () => {
    await written(entry('a'), entry('b'));
    const [name = ''] = await readdir(folder);
    const path = join(folder, name);
    const whole = await readFile(path, 'utf8');
    await writeFile(path, `${whole}not a record\n{"attempt":"x","phase":"later"}\n${whole.slice(0, 40)}`);
    await writeFile(join(folder, 'README'), 'not a journal');
    expect((await records()).map(({ attempt }) => attempt)).toEqual(['a', 'b']);
  });

  it('tells of a record whose key is not in the ring, or that was moved to another attempt', async () => {
    await written(entry('a'));
    expect(await records(ringNamed('other'))).toEqual([{ attempt: 'a', phase: 'sending', payload: null }]);
    const [name = ''] = await readdir(folder);
    const moved = (await readFile(join(folder, name), 'utf8')).replace('"a"', '"b"');
    await writeFile(join(folder, name), moved);
    expect(await records()).toEqual([{ attempt: 'b', phase: 'sending', payload: null }]);
  });
});

describe('Settled journals', () => {
  const settled = async (attempt: string): Promise<boolean> => attempt !== 'open';

  it('are removed when they are old enough', async () => {
    await written(entry('a'), entry('b', 'granted'));
    expect(await discardSettled(folder, settled)).toBe(0);
    await aged(hour);
    expect(await discardSettled(folder, settled)).toBe(1);
    expect(await readdir(folder)).toEqual([]);
  });

  it('stay while one attempt is not settled', async () => {
    await written(entry('a'), entry('open'));
    await aged(hour);
    expect(await discardSettled(folder, settled)).toBe(0);
    expect(await records()).toHaveLength(2);
  });

  it('stay where a whole line cannot be read, and go where only the last was torn', async () => {
    await written(entry('a'));
    await aged(hour);
    const [name = ''] = await readdir(folder);
    await appendFile(join(folder, name), '{"attempt":"a');
    const torn = await readFile(join(folder, name), 'utf8');
    await appendFile(join(folder, name), '\n');
    expect(await discardSettled(folder, settled)).toBe(0);
    await writeFile(join(folder, name), torn);
    expect(await discardSettled(folder, settled)).toBe(1);
  });

  it('are never files that may still be written to, whatever age is asked for', async () => {
    await written(entry('a'));
    await aged(6 * 60_000);
    expect(await discardSettled(folder, settled, 0)).toBe(0);
  });
});

describe('A kept answer', () => {
  const attempt = { attempt: 'a', version: 42, ownerDid: 7, issuedAt: 1000 };
  const grant = { accessToken: new Secret('the access token'), refreshToken: new Secret('the refresh token'), validityMs: 60_000 };
  const revealed = (answer: Pending) => isAnswer(answer) && ({ ...answer, accessToken: answer.accessToken.reveal(), refreshToken: answer.refreshToken?.reveal() ?? null });
  const failed: KeptEnd = { ...attempt, attempt: 'b', end: { kind: 'unavailable', status: 503, retryAfterMs: 2000, detail: 'status 503' } };
  const expected = { ...attempt, accessToken: 'the access token', refreshToken: 'the refresh token', validityMs: 60_000 };

  it('is read back as it was, and only as the answer to its own attempt', () => {
    const sealed = sealPending({ ...attempt, ...grant }, ring);
    expect(sealed).not.toContain('token');
    expect(revealed(unsealPending('a', sealed, ring))).toEqual(expected);
    expect(() => unsealPending('b', sealed, ring)).toThrow('does not belong to pending:b');
    expect(() => sealPending({ ...attempt, ...grant }, new KeyRing([]))).toThrow('without a key');
  });

  it('without a new refresh token stays without one', () => {
    const answer = { ...attempt, ...grant, refreshToken: null, validityMs: null };
    expect(unsealPending('a', sealPending(answer, ring), ring)).toMatchObject({ refreshToken: null, validityMs: null });
  });

  it('is recorded in the journal and in the second place', async () => {
    const journal = new Journal(folder, ring);
    const pending = new Map<string, string>();
    const recorder = new AttemptRecorder(journal, ring, async (id, sealed) => void pending.set(id, sealed), () => Promise.resolve(true));
    await recorder.sending(attempt);
    await Promise.all(recorder.granted(attempt, grant));
    await recorder.ended('refused', failed);
    await recorder.unused({ ...attempt, attempt: 'b' }, failed.end);
    expect((await records()).map(({ phase }) => phase)).toEqual(['sending', 'granted', 'refused']);
    expect((await all(keptAnswers(folder, ring))).map(revealed)).toEqual([expected]);
    expect(await all(keptAnswers(folder, ring, (id) => id === 'b'))).toEqual([]);
    expect(revealed(unsealPending('a', pending.get('a') ?? '', ring))).toEqual(expected);
    expect(unsealPending('b', pending.get('b') ?? '', ring)).toEqual(failed);
    await journal.close();
  });
});
