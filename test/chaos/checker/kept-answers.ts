import { keptAttempts, readJournals } from '../../../src/journal/journal-reader.ts';
import { isAnswer, readAnswer, unsealPending, type KeptAnswer } from '../../../src/journal/kept-answer.ts';
import { Secret } from '../../../src/domain/secret.ts';
import { KeyRing, transitKeys } from '../../../src/runtime/key-ring.ts';
import type { Evidence } from '../evidence.ts';

export interface Kept {
  readonly answers: readonly KeptAnswer[];
  /** Attempts whose answer was kept and cannot be read. */
  readonly unreadable: readonly string[];
}

/** What the journals of all nodes and the pending hash of Redis hold. */
export async function readKept({ record, redis, redisPrefix, journalFolders }: Evidence): Promise<Kept> {
  const ring = await transitRing(record);
  const answers: KeptAnswer[] = [];
  const unreadable: string[] = [];
  for (const folder of journalFolders) {
    for await (const { phase, attempt, payload } of readJournals(folder, ring)) {
      if (phase !== 'granted') continue;
      if (payload === null) unreadable.push(attempt);
      else answers.push(readAnswer(payload));
    }
  }
  for (const [attempt, sealed] of Object.entries(await redis.hgetall(`${redisPrefix}:{pending}`))) {
    try {
      const pending = unsealPending(attempt, sealed, ring);
      if (isAnswer(pending)) answers.push(pending);
    } catch {
      unreadable.push(attempt);
    }
  }
  return { answers, unreadable };
}

/** The attempts of which an answer is in a journal or in Redis (or word of a failure), or was seen to be on a disk, while all of this is in use. */
export async function attemptsKept({ redis, redisPrefix, journalFolders, seenOnDisk = [] }: Pick<Evidence, 'redis' | 'redisPrefix' | 'journalFolders' | 'seenOnDisk'>): Promise<Set<string>> {
  const kept = new Set([...seenOnDisk, ...(await redis.hkeys(`${redisPrefix}:{pending}`))]);
  for (const folder of journalFolders) for await (const attempt of keptAttempts(folder)) kept.add(attempt);
  return kept;
}

/** The ring of `src/assembly/stores.ts` where no sealing keys are configured: made of the cluster's own key. */
export async function transitRing(record: Evidence['record']): Promise<KeyRing> {
  const keys = transitKeys([], await clusterKeyOf(record));
  return new KeyRing(keys);
}

export async function clusterKeyOf(record: Evidence['record']): Promise<Secret> {
  const [row] = await record.query<{ value: string }>("SELECT value FROM tstkey WHERE name = 'cluster'");
  if (!row) throw new Error('tstkey has no row "cluster": no node has ever run');
  return new Secret(row.value);
}
