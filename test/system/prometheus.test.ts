import { readFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { readDocument, rulesFile } from '../monitoring/alert-rules.ts';
import { asSent, dashboardQueries } from '../monitoring/dashboard.ts';
import { startPrometheus } from '../monitoring/prometheus-server.ts';
import type { Prometheus } from '../monitoring/prometheus-server.ts';
import { withoutPrometheus } from '../monitoring/promtool.ts';
import { startReaders } from '../harness/readers.ts';
import type { Readers } from '../harness/readers.ts';
import type { NodeProcess } from '../harness/node-process.ts';
import { useScene } from './scene.ts';
import type { OwnerOnScene } from './scene.ts';

const job = 'token-pool-under-test';
const refreshes = 'sum(tokenpool_refresh_seconds_count{outcome="refreshed"})';

/** The delivered rules, with shorter patience: what fires after minutes fires after seconds. Thresholds stay as they are. */
const impatientRules = readFileSync(rulesFile, 'utf8').replaceAll(/^( +for:) \d+m$/gm, '$1 2s').replaceAll(/\[(2|5|10)m\]/g, '[12s]');

/** For what comes in seconds: a store must be found away by most calls of 12 s, on a machine that may be busy. */
const inTime = { timeout: 60_000, interval: 250 };

/** Queries of the dashboard that show nothing in quiet operation, and why. */
const emptyInQuiet = {
  'Refused calls A': 'no call is refused',
  'Share of calls that fail A': 'no call has failed yet',
  'Failed calls by what they were for A': 'no call has failed yet',
  'annotation Alerts': 'no alert fires',
};

describe.skipIf(withoutPrometheus !== '')(`a cluster that a real Prometheus scrapes${withoutPrometheus}`, () => {
  const scene = useScene({
    nodes: [{}, {}, {}],
    provider: { accessTokenSeconds: 16 },
    config: { refreshWakeUpLeadTime: 8000, waitingTimeForToken: 200, retryAttempt: 10 },
    prepare: async (on) => {
      owners = [await on.addOwner({ ownerId: 'gateway-1', retryMax: 1000 }), await on.addOwner({ ownerId: 'gateway-2' }), await on.addOwner({ ownerId: 'gateway-3' })];
    },
  });
  let owners: OwnerOnScene[];
  let prometheus: Prometheus;
  let readers: Readers;

  beforeAll(async () => {
    prometheus = await startPrometheus({ nodes: scene.nodes.map(({ adminUrl }) => adminUrl), job, rules: impatientRules });
    readers = startReaders({ urls: scene.nodes.map(({ appUrl }) => appUrl), owners: owners.map(({ id }) => id), ratePerSecond: 30, judge: scene.provider.isLive, atOnce: 64 });
  });
  afterAll(async () => {
    await readers.stop();
    await prometheus.remove();
  });

  const total = async (expr: string): Promise<number> => (await prometheus.query(expr))[0]?.value ?? 0;
  const instanceOf = ({ adminUrl }: NodeProcess): string => new URL(adminUrl).host;
  const firing = (alertname: string, labels: Record<string, string> = {}) =>
    expect.poll(() => prometheus.firing(), inTime).toContainEqual(expect.objectContaining({ alertname, job, ...labels }));
  const emptyQueries = async (): Promise<string[]> => {
    const answers = await Promise.all(dashboardQueries.map(async ({ title, expr }) => ({ title, samples: await prometheus.query(asSent(expr, job, '12s')) })));
    return answers.filter(({ samples }) => samples.length === 0).map(({ title }) => title).sort();
  };

  test('all of its nodes are targets that are up', async () => {
    await expect.poll(async () => (await prometheus.targets()).map(({ health, lastError }) => `${health}${lastError}`), inTime).toEqual(['up', 'up', 'up']);
    await expect.poll(() => total(`sum(tokenpool_ready{job="${job}"})`), inTime).toBe(3);
    await expect.poll(() => total('sum(tokenpool_lease_held)'), inTime).toBe(1);
  });

  test('no alert fires while it is read, and each token is refreshed twice', async () => {
    // Before the first look Prometheus misses the nodes, without the patience of the delivered rules.
    await expect.poll(() => prometheus.firing(), inTime).toEqual([]);
    const [since, refreshed] = [Date.now(), await total(refreshes)];
    await expect.poll(() => total(refreshes), inTime).toBeGreaterThanOrEqual(refreshed + 2 * owners.length);
    expect(await total('sum(tokenpool_reads_total{outcome="served"})')).toBeGreaterThan(100);
    expect(await prometheus.query(`count_over_time(ALERTS{alertstate="firing"}[${Math.floor((Date.now() - since) / 1000)}s])`)).toEqual([]);
  }, 70_000);

  test('each query of the dashboard shows something, but those that show what goes wrong', async () => {
    expect(await emptyQueries()).toEqual(Object.keys(emptyInQuiet).sort());
  });

  test('the statements of the runbook are carried out, and show no token', async () => {
    const statements = [...readDocument('runbook.md').matchAll(/^```sql\n([\s\S]*?)^```/gm)].flatMap(([, text]) => text!.trim().split(/;\n/));
    expect(statements.length).toBeGreaterThan(5);
    const shown = JSON.stringify(await Promise.all(statements.map((sql) => scene.stores.query(sql))));
    expect(shown).toContain('gateway-1');
    for (const { accesstoken, refreshtoken, tokenauth } of await scene.tokenRows(owners[0]!.did)) {
      for (const secret of [accesstoken, refreshtoken, tokenauth]) expect(shown.includes(secret ?? '-')).toBe(false);
    }
  });

  test('the queries of the runbook are carried out', async () => {
    const queries = [...readDocument('runbook.md').matchAll(/^```promql\n([\s\S]*?)^```/gm)].flatMap(([, text]) => text!.trim().split('\n'));
    for (const query of queries) expect(await prometheus.query(query)).toBeInstanceOf(Array);
  });

  test('a provider that answers 503 raises the alarm before the token has run out, and after it', async () => {
    scene.provider.always({ kind: 'status', status: 503 }, { grantId: owners[0]!.grant.grantId });
    scene.provider.revokeGrant(owners[1]!.grant.grantId);
    await firing('TokenPoolRefreshesFail', { outcome: 'unavailable', severity: 'warning' });
    await firing('TokenPoolTokenNearExpiry', { owner: 'gateway-1', severity: 'critical' });
    await firing('TokenPoolOwnerWithoutToken', { owner: 'gateway-1' });
    await firing('TokenPoolCallersWait');
    await firing('TokenPoolReadsFail', { code: 'TPS0005' });
    expect((await prometheus.firing()).filter(({ owner }) => owner === 'gateway-3')).toEqual([]);
  }, 70_000);

  test('a master that is killed is a node that is down; the next master is seen, and counts the grant that was revoked', async () => {
    await expect.poll(async () => (await scene.validRows(owners[1]!.did)).map(({ state }) => state), inTime).toEqual(['dead']);
    const killed = await scene.master();
    await killed.kill();
    await firing('TokenPoolNodeDown', { instance: instanceOf(killed) });
    const next = await vi.waitUntil(() => scene.master(), inTime);
    await expect.poll(async () => (await prometheus.query('tokenpool_lease_held == 1')).map(({ metric }) => metric['instance']), inTime).toEqual([instanceOf(next)]);
    await firing('TokenPoolGrantDead', { severity: 'warning' });
  }, 70_000);

  test('a Redis that is away is told of, and no master is missed', async () => {
    await scene.stores.redis.stop();
    const master = await scene.master();
    await firing('TokenPoolRedisDown', { instance: instanceOf(master), severity: 'warning' });
    expect((await prometheus.firing()).filter(({ alertname }) => alertname === 'TokenPoolMysqlDown')).toEqual([]);
  }, 70_000);

  test('a MySQL that is away as well is told of, and that nobody is master', async () => {
    await scene.stores.mariaDb.stop();
    await firing('TokenPoolMysqlDown', { severity: 'critical' });
    await firing('TokenPoolNoMaster', { severity: 'critical' });
  }, 70_000);

  test('after all that, each query of the dashboard has shown something', async () => {
    expect((await emptyQueries()).filter((title) => title in emptyInQuiet)).toEqual([]);
  });

  test('the end of all nodes is told of', async () => {
    await Promise.all(scene.nodes.filter(({ isRunning }) => isRunning).map((node) => node.kill()));
    await firing('TokenPoolNoNodeReady', { severity: 'critical' });
  }, 70_000);
});
