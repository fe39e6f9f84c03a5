import { existsSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { ask, infoOf } from './redis-admin.ts';
import { startRedisCluster } from './redis-cluster.ts';
import type { RedisCluster } from './redis-cluster.ts';
import { startRedisSentinel } from './redis-sentinel.ts';
import type { RedisSentinel } from './redis-sentinel.ts';

describe('a Redis behind Sentinel', () => {
  let group: RedisSentinel;
  beforeAll(async () => { group = await startRedisSentinel(); });
  afterAll(() => group.remove());

  test('has a new primary with the same data within seconds after the old one was killed or frozen', async () => {
    await ask(await group.primary(), 'SET', 'key', 'value');
    for (const failover of [() => group.failover(), () => group.freezePrimary()]) {
      const { lost, primary, tookMs } = await failover();
      expect(primary.port).not.toBe(lost.port);
      expect(tookMs).toBeLessThan(10_000);
      expect(await ask(primary, 'GET', 'key')).toBe('value');
      expect(await ask(primary, 'SET', 'key', 'value')).toBe('OK');
    }
  }, 30_000);
});

describe('a Redis Cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => { cluster = await startRedisCluster(); });
  afterAll(() => cluster.remove());

  test('has three masters, each with a share of the slots and a replica', async () => {
    const masters = new Set(await Promise.all([0, 8_000, 16_383].map((slot) => cluster.masterOf(slot))));
    expect(masters.size).toBe(3);
    for (const master of masters) expect(await infoOf(master, 'replication')).toMatchObject({ role: 'master', connected_slaves: '1' });
  });

  test('has the replica of a master in its place within seconds after it was killed or frozen, and the lost one as the replica when it is back', async () => {
    const client = cluster.client();
    await client.set('key', 'value');
    const killed = await cluster.killMasterOf('key');
    expect(killed.tookMs).toBeLessThan(10_000);
    expect(await client.get('key')).toBe('value');
    await killed.lost.restart();
    await cluster.whole();
    expect((await infoOf(killed.lost, 'replication'))['role']).toBe('slave');
    const frozen = await cluster.freezeMasterOf('key');
    expect([frozen.lost.port, frozen.master.port]).toEqual([killed.master.port, killed.lost.port]);
    frozen.lost.thaw();
    await cluster.whole();
    expect(await client.get('key')).toBe('value');
    client.disconnect();
  }, 40_000);
});

test('nothing of a group stays behind when it is removed', async () => {
  const group = await startRedisSentinel({ replicas: 1 });
  const folders = [...group.servers, ...group.sentinels].map(({ dataFolder }) => dataFolder);
  await group.remove();
  expect(folders.filter((folder) => existsSync(folder))).toEqual([]);
});
