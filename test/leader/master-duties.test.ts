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
  const firstWorker = begun.indexOf('worker');
  expect(begun[0]).toBe('heartbeat');
  expect(begun.slice(1, firstWorker)).toEqual(Array.from({ length: firstWorker - 1 }, () => 'round'));
  expect(firstWorker).toBeGreaterThan(2);
  expect(begun.slice(firstWorker)).toContain('survey');
});

test('a term that ends meanwhile does not wait', async () => {
  const end = new AbortController();
  const { duties, term, begun } = beginning(end.signal);
  const starting = duties.start(term);
  end.abort();
  const stoppedAt = performance.now();
  await duties.stop();
  await starting;
  expect(performance.now() - stoppedAt).toBeLessThan(150);
  expect(begun).not.toContain('survey');
});
