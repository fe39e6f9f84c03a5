import { Cluster, type Redis } from 'ioredis';

import type { RedisClient } from '../../../src/redis/connection.ts';

/** Every key of a Redis, or of all masters of a Cluster, and what it holds. */
export async function contentOfRedis(client: RedisClient): Promise<[string, string][]> {
  const servers: readonly (Redis | Cluster)[] = client instanceof Cluster ? client.nodes('master') : [client];
  const keys = (await Promise.all(servers.map((server) => server.keys('*')))).flat();
  return Promise.all(keys.map(async (key): Promise<[string, string]> => [key, await valueOf(client, key)]));
}

async function valueOf(client: RedisClient, key: string): Promise<string> {
  switch (await client.type(key)) {
    case 'string':
      return (await client.get(key)) ?? '';
    case 'hash':
      return JSON.stringify(await client.hgetall(key));
    case 'list':
      return JSON.stringify(await client.lrange(key, 0, -1));
    case 'set':
      return JSON.stringify(await client.smembers(key));
    case 'zset':
      return JSON.stringify(await client.zrange(key, '0', '-1', 'WITHSCORES'));
    case 'stream':
      return JSON.stringify(await client.xrange(key, '-', '+'));
    default:
      return '';
  }
}
