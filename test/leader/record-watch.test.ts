import { beforeEach, expect, test } from 'vitest';

import { StoreUnavailable } from '../../src/domain/errors.ts';
import { RecordWatch } from '../../src/leader/record-watch.ts';
import { ClusterClock } from '../../src/runtime/clock.ts';
import { heardLog, type HeardLog } from '../oauth/heard-log.ts';

let log: HeardLog;
let watch: RecordWatch;

beforeEach(() => {
  log = heardLog();
  watch = new RecordWatch(new ClusterClock(), log);
});

async function rounds(...ends: readonly (Error | undefined)[]): Promise<void> {
  for (const end of ends) await watch.over(() => (end ? Promise.reject(end) : Promise.resolve())).catch((error: unknown) => expect(error).toBe(end));
}

const away = new StoreUnavailable('mysql', new Error('tokens.due: ECONNREFUSED'));

test('a record that is away is said once, with the reason, and once when it is back', async () => {
  await rounds(undefined, away, away, away, away, undefined, undefined);
  expect(log.lines).toEqual([expect.stringMatching(/^error MySQL does not answer.*ECONNREFUSED/), expect.stringMatching(/^info MySQL answers again/)]);
  await rounds(away, away, undefined);
  expect(log.lines).toHaveLength(4);
});

test('a single round that failed is no outage, and neither is Redis', async () => {
  const redis = new StoreUnavailable('redis');
  await rounds(away, undefined, away, undefined, redis, redis, redis);
  expect(log.lines).toEqual([]);
});
