import { expect, test } from 'vitest';

import { MasterDuties } from '../../src/leader/master-duties.ts';
import type { Term } from '../../src/pool/term.ts';
import { ClusterClock } from '../../src/runtime/clock.ts';
import { atStart } from '../../src/runtime/lifecycle.ts';
import { silent } from '../mysql/token-database.ts';

function beginning(signal: AbortSignal): { duties: MasterDuties; term: Term; begun: string[] } {
  const begun: string[] = [];
  const note = async (what: string): Promise<void> => { begun.push(what); };
  const duties = new MasterDuties({
    reconciler: { round: () => note('round'), restMs: () => 100, survey: () => note('survey') },
    reconcileEveryMs: 500,
    heartbeat: () => atStart('heartbeat', () => note('heartbeat')),
    workers: () => [atStart('worker', () => note('worker'))],
    clock: new ClusterClock(),
    logger: silent,
  });
  return { duties, term: { epoch: 1, isTrusted: () => true, signal }, begun };
}

test('as a term begins what is due has the stores to itself for several rounds, before workers connect and the pool is surveyed', async () => {
  const { duties, term, begun } = beginning(new AbortController().signal);
  await duties.start(term);
  await duties.stop();
  const firstSurvey = begun.indexOf('survey');
  expect(begun[0]).toBe('heartbeat');
  expect(begun.slice(1, firstSurvey)).toEqual(Array.from({ length: firstSurvey - 1 }, () => 'round'));
  expect(firstSurvey).toBeGreaterThan(2);
  expect(begun.slice(firstSurvey)).toContain('worker');
});

test('a term that ends meanwhile does not wait, and begins no more', async () => {
  const end = new AbortController();
  const { duties, term, begun } = beginning(end.signal);
  const starting = duties.start(term);
  end.abort();
  const endedAt = performance.now();
  await starting;
  expect(performance.now() - endedAt).toBeLessThan(150);
  await duties.stop();
  expect(begun).not.toContain('worker');
  expect(begun).not.toContain('survey');
});
