import { setTimeout as sleep } from 'node:timers/promises';

import { Redis } from 'ioredis';

import { feedChannel } from '../src/redis/feed.ts';
import { encodeMessage } from '../src/redis/feed-message.ts';
import type { Load } from './load-process.ts';
import { median } from './rounds.ts';
import { metric, type Stage } from './stage.ts';

export interface SlowReads {
  readonly reads: number;
  /** How many of them the node did ask Redis for, by its own count. */
  readonly fromRedis: number;
  /** Redis has 150 ms to answer; then MySQL is asked. */
  readonly fromMySql: number;
  readonly failures: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const rounds = 12;
const gapReachesNodeMs = 5000;

/** Reads of owners whose entries the node may not trust: each goes to Redis. Medians over rounds in which every owner is asked for once. */
export async function measureSlowPath(load: Load, stage: Stage, connections: number): Promise<SlowReads> {
  const { stores, node, owners } = stage;
  const redis = new Redis(stores.redis.url);
  const before = [await readsFrom('redis', stage), await readsFrom('mysql', stage)] as const;
  try {
    const results = [];
    for (let round = 0; round < rounds; round++) {
      await breakFeed(redis, stage, round);
      const paths = owners.map((owner) => `/tokenservice/${owner}`);
      results.push(await load.run({ port: Number(new URL(node.appUrl).port), paths, connections, warmUpMs: 0, measureMs: 0 }));
    }
    return {
      reads: results.reduce((sum, { answers }) => sum + answers, 0),
      fromRedis: (await readsFrom('redis', stage)) - before[0],
      fromMySql: (await readsFrom('mysql', stage)) - before[1],
      failures: results.reduce((sum, { failures }) => sum + failures, 0),
      perSecond: median(results.map(({ answers, seconds }) => answers / seconds)),
      p50Ms: median(results.map(({ p50Ms }) => p50Ms)),
      p99Ms: median(results.map(({ p99Ms }) => p99Ms)),
    };
  } finally {
    redis.disconnect();
  }
}

/** A message whose number says that one before it was lost makes the node check all that it knows. */
async function breakFeed(redis: Redis, { node }: Stage, round: number): Promise<void> {
  await redis.publish(feedChannel('tokenpool'), encodeMessage({ stream: `bench-${round}`, number: 2, message: { kind: 'beat', epoch: 1 } }));
  const deadline = performance.now() + gapReachesNodeMs;
  while ((await metric(node, 'tokenpool_near_cache_entries{state="trusted"}')) > 0) {
    if (performance.now() > deadline) throw new Error('the node has not heard of the gap in the feed');
    await sleep(5);
  }
}

function readsFrom(source: 'redis' | 'mysql', { node }: Stage): Promise<number> {
  return metric(node, `tokenpool_reads_total{source="${source}",outcome="served"}`);
}
