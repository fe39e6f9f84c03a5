import { setTimeout as sleep } from 'node:timers/promises';

import type { Evidence } from '../evidence.ts';
import { attemptsKept } from './kept-answers.ts';

const pauseMs = 250;

/** A node reads its journal again once a minute (`src/service.ts`); within this, ms, it has. */
const journalReadMs = 65_000;

/**
 * Gives a living cluster the time in which it records what its journals and Redis have kept, where something is missing.
 * @returns whether all is recorded
 */
export async function untilRecorded(evidence: Evidence, patienceMs = journalReadMs): Promise<boolean> {
  for (const until = Date.now() + patienceMs; await isMissing(evidence); await sleep(pauseMs)) if (Date.now() >= until) return false;
  return true;
}

/** What was kept first, the record then: an answer that comes in between is not missed. */
async function isMissing(evidence: Evidence): Promise<boolean> {
  const kept = await attemptsKept(evidence);
  const waiting = await evidence.record.query<{ attempt: string }>('SELECT attempt FROM tsttoken WHERE isvalid = 1 AND attempt IS NOT NULL');
  return waiting.some(({ attempt }) => kept.has(attempt));
}
