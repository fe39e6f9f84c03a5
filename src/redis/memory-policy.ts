import type { RedisClient } from './connection.ts';

/** Redis' `maxmemory-policy`; undefined where Redis does not tell. */
export async function memoryPolicy(redis: RedisClient): Promise<string | undefined> {
  const info = await redis.info('memory');
  return /maxmemory_policy:(\S+)/.exec(info)?.[1];
}
