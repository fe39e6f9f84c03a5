import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { Metrics } from '../../src/runtime/metrics.ts';
import type { OwnerTokens } from '../../src/runtime/metrics-tokens.ts';

function made(ownerLabels?: number): Metrics {
  return new Metrics({ version: '1.2.3', runtime: false, ...(ownerLabels === undefined ? {} : { ownerLabels }) });
}

/** The samples of a scrape, `name{labels}` to value. */
async function scrape(metrics: Metrics): Promise<Map<string, number>> {
  const lines = (await metrics.expose()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => {
    const space = line.lastIndexOf(' ');
    return [line.slice(0, space), Number(line.slice(space + 1))];
  }));
}

function poolOf(metrics: Metrics, owners: readonly OwnerTokens[], now = 1_000_000): void {
  metrics.readFrom({ tokens: () => ({ now, owners }) });
}

describe('reads', () => {
  test('are counted by where the token came from', async () => {
    const metrics = made();
    metrics.servedFromMemory();
    metrics.servedFromMemory();
    metrics.read('memory', 'served');
    metrics.read('redis', 'served');
    metrics.read('none', 'failed');
    const samples = await scrape(metrics);
    expect(samples.get('tokenpool_reads_total{source="memory",outcome="served"}')).toBe(3);
    expect(samples.get('tokenpool_reads_total{source="redis",outcome="served"}')).toBe(1);
    expect(samples.get('tokenpool_reads_total{source="none",outcome="failed"}')).toBe(1);
  });

  test('are counted once, however often they are scraped', async () => {
    const metrics = made();
    metrics.servedFromMemory();
    await scrape(metrics);
    expect((await scrape(metrics)).get('tokenpool_reads_total{source="memory",outcome="served"}')).toBe(1);
  });
});

describe('tokens', () => {
  test('are counted for each owner, with the time until the last of them expires', async () => {
    const metrics = made();
    poolOf(metrics, [{ ownerId: 'gw1', expiries: [1_060_000, 1_030_000] }, { ownerId: 'gw2', expiries: [] }]);
    const samples = await scrape(metrics);
    expect(samples.get('tokenpool_valid_tokens{owner="gw1"}')).toBe(2);
    expect(samples.get('tokenpool_owner_expiry_seconds{owner="gw1"}')).toBe(60);
    expect(samples.get('tokenpool_valid_tokens{owner="gw2"}')).toBe(0);
    expect(samples.get('tokenpool_owner_expiry_seconds{owner="gw2"}')).toBe(0);
    expect(samples.get('tokenpool_next_expiry_seconds')).toBe(30);
    expect(samples.get('tokenpool_owners_without_token')).toBe(1);
  });

  test('of owners beyond the labels are summed up, with the least time of all of them', async () => {
    const metrics = made(1);
    poolOf(metrics, [{ ownerId: 'gw1', expiries: [1_010_000] }, { ownerId: 'gw2', expiries: [1_090_000] }, { ownerId: 'gw3', expiries: [1_050_000, 1_070_000] }]);
    const samples = await scrape(metrics);
    expect(samples.get('tokenpool_valid_tokens{owner="gw1"}')).toBe(1);
    expect(samples.get('tokenpool_valid_tokens{owner="_other"}')).toBe(3);
    expect(samples.get('tokenpool_owner_expiry_seconds{owner="_other"}')).toBe(70);
    expect([...samples.keys()].filter((name) => name.startsWith('tokenpool_valid_tokens'))).toHaveLength(2);
  });

  test('keep the label of their owner while it is listed, and give it on when it is gone', async () => {
    const metrics = made(1);
    const [gw1, gw2] = [{ ownerId: 'gw1', expiries: [1_010_000] }, { ownerId: 'gw2', expiries: [1_010_000] }];
    poolOf(metrics, [gw1]);
    await scrape(metrics);
    poolOf(metrics, [gw2, gw1]);
    expect((await scrape(metrics)).has('tokenpool_valid_tokens{owner="gw1"}')).toBe(true);
    poolOf(metrics, [gw2]);
    await scrape(metrics);
    const samples = await scrape(metrics);
    expect(samples.get('tokenpool_valid_tokens{owner="gw2"}')).toBe(1);
    expect(samples.has('tokenpool_valid_tokens{owner="gw1"}')).toBe(false);
  });

  test('that do not exist have no time of expiry, rather than one of 0', async () => {
    expect((await scrape(made())).has('tokenpool_next_expiry_seconds')).toBe(false);
  });

  test('of 100,000 owners make no more series than allowed', async () => {
    const metrics = made(10);
    poolOf(metrics, Array.from({ length: 100_000 }, (_, index) => ({ ownerId: `gw${index}`, expiries: [1_000_000 + index] })));
    const samples = await scrape(metrics);
    expect([...samples.keys()].filter((name) => name.includes('owner='))).toHaveLength(22);
    expect(samples.get('tokenpool_valid_tokens{owner="_other"}')).toBe(99_990);
  });
});

test('an owner whose name holds quotes and line breaks stays one label', async () => {
  const metrics = made();
  poolOf(metrics, [{ ownerId: 'a"b\nc\\d', expiries: [] }]);
  expect((await scrape(metrics)).get(String.raw`tokenpool_valid_tokens{owner="a\"b\nc\\d"}`)).toBe(0);
});

test('every word of the vocabulary moves its metric', async () => {
  const metrics = made();
  metrics.requestFailed('/tokenservice/:ownerId', 'TPS0005');
  metrics.waitBegan();
  metrics.waitBegan();
  metrics.waitEnded(1.5);
  metrics.refreshBegan();
  metrics.refreshBegan();
  metrics.refreshEnded('refreshed', 0.2);
  metrics.tokenLost();
  metrics.tokenLapsed();
  metrics.answerReplayed('journal');
  metrics.slotReconciled('overdue');
  metrics.becameMaster(7);
  metrics.slotsCounted({ inDoubt: 1, stopped: 2, dead: 3 });
  metrics.queueMeasured({ waiting: 1, delayed: 5, active: 2, failed: 0 });
  metrics.jobBegan(-3);
  metrics.storeAnswered('mysql', 'tokens.valid', true, 0.003);
  metrics.mailEnded('sent');
  metrics.feedBroken('gap');
  metrics.journalFailed('append');
  metrics.courierRestarted();
  metrics.readFrom({ nearCache: () => ({ trusted: 4, suspect: 1 }), wallClockAheadMs: () => -250, isReady: () => true });
  expect(Object.fromEntries(await scrape(metrics))).toMatchObject({
    'tokenpool_request_failures_total{route="/tokenservice/:ownerId",code="TPS0005"}': 1,
    'tokenpool_waiting_callers': 1,
    'tokenpool_wait_seconds_sum': 1.5,
    'tokenpool_refresh_attempts_total': 2,
    'tokenpool_refreshes_running': 1,
    'tokenpool_refresh_seconds_count{outcome="refreshed"}': 1,
    'tokenpool_slots{state="in_doubt"}': 1,
    'tokenpool_slots{state="stopped"}': 2,
    'tokenpool_slots{state="dead"}': 3,
    'tokenpool_lost_tokens_total': 1,
    'tokenpool_lapsed_tokens_total': 1,
    'tokenpool_replayed_answers_total{from="journal"}': 1,
    'tokenpool_reconciled_slots_total{reason="overdue"}': 1,
    'tokenpool_lease_held': 1,
    'tokenpool_epoch': 7,
    'tokenpool_failovers_total': 1,
    'tokenpool_queue_jobs{state="delayed"}': 5,
    'tokenpool_job_lateness_seconds_sum': 0,
    'tokenpool_store_seconds_count{store="mysql",operation="tokens.valid",ok="true"}': 1,
    'tokenpool_mails_total{outcome="sent"}': 1,
    'tokenpool_feed_gaps_total{reason="gap"}': 1,
    'tokenpool_journal_failures_total{operation="append"}': 1,
    'tokenpool_near_cache_entries{state="trusted"}': 4,
    'tokenpool_near_cache_entries{state="suspect"}': 1,
    'tokenpool_wall_clock_ahead_seconds': -0.25,
    'tokenpool_courier_restarts_total': 1,
    'tokenpool_ready': 1,
    [`tokenpool_build_info{version="1.2.3",node="${process.version}"}`]: 1,
  });
  metrics.becameFollower();
  metrics.epochSeen(8);
  const samples = await scrape(metrics);
  expect([samples.get('tokenpool_lease_held'), samples.get('tokenpool_epoch')]).toEqual([0, 8]);
});

test('what the master counts is said by no other node, not even by one that was master before', async () => {
  const metrics = made();
  const said = async (): Promise<string[]> => [...(await scrape(metrics)).keys()].filter((name) => /^tokenpool_(slots|queue_jobs)/.test(name));
  const count = (): void => {
    metrics.slotsCounted({ inDoubt: 1, stopped: 2, dead: 3 });
    metrics.queueMeasured({ waiting: 1, delayed: 5, active: 2, failed: 0 });
  };
  count();
  expect(await said()).toEqual([]);
  metrics.becameMaster(1);
  count();
  expect(await said()).toHaveLength(7);
  metrics.becameFollower();
  expect(await said()).toEqual([]);
  count();
  expect(await said()).toEqual([]);
});

test('what is watched for its increase is there before its first event', async () => {
  const samples = await scrape(made());
  const expected = [
    'reads_total{source="none",outcome="failed"}', 'mails_total{outcome="failed"}', 'mails_total{outcome="dropped"}', 'feed_gaps_total{reason="silence"}',
    'journal_failures_total{operation="append"}', 'refresh_seconds_count{outcome="invalid_client"}', 'lost_tokens_total', 'lapsed_tokens_total', 'courier_restarts_total',
    'request_failures_total{route="/tokenservice/:ownerId",code="TPS0005"}',
  ];
  for (const name of expected) expect(samples.get(`tokenpool_${name}`), name).toBe(0);
});

test('the lead of refreshes is said in seconds', async () => {
  expect((await scrape(new Metrics({ version: '1.2.3', runtime: false, refreshLeadMs: 30_000 }))).get('tokenpool_refresh_lead_seconds')).toBe(30);
});

test('two of them share nothing', async () => {
  const [one, other] = [made(), made()];
  one.tokenLost();
  expect((await scrape(other)).get('tokenpool_lost_tokens_total')).toBe(0);
});

test('the process and Node.js are measured too', async () => {
  const samples = await scrape(new Metrics({ version: '1.2.3' }));
  expect(samples.has('process_resident_memory_bytes')).toBe(true);
  expect(samples.has('nodejs_eventloop_lag_seconds')).toBe(true);
});

describe('docs/metrics.md', () => {
  const text = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(tokenpool_\w+)` \| (\w+) \|([^|]*)\|([^|]+)\|$/gm)].map(([, name, type, labels]) => ({
    name, type, labels: [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label!),
  }));

  test('lists every metric with its type and labels, and none that does not exist', () => {
    const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }): number => String(a.name).localeCompare(String(b.name));
    expect(rows.sort(byName)).toEqual([...made().describe()].sort(byName));
  });

  test('speaks of no metric in its queries that does not exist', () => {
    const known = made().describe().map(({ name }) => name);
    const used = [...text.matchAll(/tokenpool_\w+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''));
    expect(used.filter((name) => !known.includes(name))).toEqual([]);
  });

  test('names follow the conventions of Prometheus: counters end in _total, times are seconds', () => {
    for (const { name, type } of made().describe()) {
      expect(name.endsWith('_total')).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
      expect(name).not.toMatch(/_(ms|milliseconds|minutes)/);
    }
  });
});
