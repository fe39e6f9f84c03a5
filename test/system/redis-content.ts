import { Redis } from 'ioredis';

/** Everything that a Redis holds, keys and values of all kinds, a line each. */
export async function contentOf(url: string, password?: string): Promise<string> {
  const redis = new Redis(url, password === undefined ? {} : { password });
  try {
    const lines: string[] = [];
    for (const key of await redis.keys('*')) lines.push(key, await valueOf(redis, key));
    return lines.join('\n');
  } finally {
    redis.disconnect();
  }
}

async function valueOf(redis: Redis, key: string): Promise<string> {
  switch (await redis.type(key)) {
    case 'string':
      return (await redis.get(key)) ?? '';
    case 'hash':
      return JSON.stringify(await redis.hgetall(key));
    case 'list':
      return JSON.stringify(await redis.lrange(key, 0, -1));
    case 'set':
      return JSON.stringify(await redis.smembers(key));
    case 'zset':
      return JSON.stringify(await redis.zrange(key, '0', '-1', 'WITHSCORES'));
    case 'stream':
      return JSON.stringify(await redis.xrange(key, '-', '+'));
    default:
      return '';
  }
}
