import { beforeEach, expect, test } from 'vitest';

import { StoreUnavailable } from '../../src/domain/errors.ts';
import { RecordWatch } from '../../src/leader/record-watch.ts';
import { ClusterClock } from '../../src/runtime/clock.ts';
import { heardLog, type HeardLog } from '../oauth/heard-log.ts';

class AheadClock extends ClusterClock {
  aheadMs = 0;

  override monotonic(): number {
    return super.monotonic() + this.aheadMs;
  }
}

let log: HeardLog;
let clock: AheadClock;
let watch: RecordWatch;

beforeEach(() => {
  log = heardLog();
  clock = new AheadClock();
  watch = new RecordWatch(clock, log);
});

/** A second apart, unless they follow as quickly as when a term begins. */
async function rounds(...ends: readonly (Error | undefined)[]): Promise<void> {
  return roundsEvery(1000, ...ends);
}

async function roundsEvery(ms: number, ...ends: readonly (Error | undefined)[]): Promise<void> {
  for (const end of ends) {
    clock.aheadMs += ms;
    await watch.over(() => (end ? Promise.reject(end) : Promise.resolve())).catch((error: unknown) => expect(error).toBe(end));
  }
}

const away = new StoreUnavailable('mysql', new Error('tokens.due: ECONNREFUSED'));

test('a record that is away is said once, with the reason, and once when it is back', async () => {
  await rounds(undefined, away, away, away, away, undefined, undefined);
  expect(log.lines).toEqual([expect.stringMatching(/^error MySQL does not answer.*ECONNREFUSED/), expect.stringMatching(/^info MySQL answers again/)]);
  await rounds(away, away, undefined);
  expect(log.lines).toHaveLength(4);
});

test('rounds that follow upon one another within a moment are no outage either', async () => {
  await roundsEvery(50, away, away, away, undefined);
  expect(log.lines).toEqual([]);
  await roundsEvery(50, ...Array.from({ length: 15 }, () => away), undefined);
  expect(log.lines).toHaveLength(2);
});

test('a single round that failed is no outage, and neither is Redis', async () => {
  const redis = new StoreUnavailable('redis');
  await rounds(away, undefined, away, undefined, redis, redis, redis);
  expect(log.lines).toEqual([]);
});
