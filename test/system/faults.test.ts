import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { runFaults, type FaultRun } from './fault-run.ts';

const owners = 200;
const seconds = 60;

/** A run with less traffic than this is no result. */
const fewestReads = 5000;
const fewestRefreshes = 1000;

let run: FaultRun;

beforeAll(async () => {
  run = await runFaults({ owners, tokenSeconds: 10, seconds, readsPerSecond: 150 });
}, 180_000);

afterAll(() => run.stop(), 60_000);

describe(`While ${owners} owners' tokens of 10 s are refreshed for ${seconds} s, and the master is killed, the master is paused past its lease, Redis is flushed, Redis is restarted empty and MySQL is restarted`, () => {
  it('there is enough traffic to tell', () => {
    expect(run.faults).toHaveLength(5);
    expect(run.reads.reads).toBeGreaterThan(fewestReads);
    expect(run.provider.account.refreshes).toBeGreaterThan(fewestRefreshes);
  });

  it('no refresh token is sent twice', () => {
    expect(run.provider.account.presentedTwice).toBe(0);
  });

  it('no grant is revoked', () => {
    expect(run.provider.account.grantsRevoked).toBe(0);
  });

  it('no read fails', () => {
    expect(run.reads.failures).toEqual([]);
    expect(run.reads.failed).toBe(0);
  });

  it('no expired or revoked token is handed out, and none of another owner', () => {
    expect(run.reads).toMatchObject({ expired: 0, revoked: 0, wrongOwner: 0, unknown: 0 });
  });

  it('refreshing goes on after every fault', () => {
    expect([...run.refreshesAfter.keys()]).toHaveLength(5);
    for (const [fault, refreshes] of run.refreshesAfter) expect(refreshes, fault).toBeGreaterThan(20);
  });

  it('every grant that the provider renewed is in the record, but for those whose answer was lost and is accounted for', async () => {
    const valid = await run.stores.query<{ grants: number }>('SELECT COUNT(*) AS grants FROM tsttoken WHERE isvalid = 1');
    expect(valid[0]?.grants).toBe(run.grants);
    const doubtful = await run.stores.query<{ n: number }>("SELECT COUNT(*) AS n FROM tsttoken WHERE isvalid = 1 AND state = 'in_doubt'");
    const told = await run.stores.query<{ n: number }>("SELECT COUNT(*) AS n FROM tstevent WHERE status = '4010'");
    expect(told[0]?.n).toBeGreaterThanOrEqual(doubtful[0]?.n ?? 0);
  });
});
