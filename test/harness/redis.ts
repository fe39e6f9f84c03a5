import { afterAll, beforeAll } from 'vitest';

import { startRedis } from './stores.ts';
import type { Redis } from './stores.ts';

/**
 * A Redis for the test file that calls this at its top, gone after its last test. A server of its own costs some
 * 40 ms and spares prefixes: scripts, BullMQ and `FLUSHALL` meet nobody else's keys.
 *
 * The value is filled in before the first test: read `redis().url` inside hooks and tests.
 */
export function useRedis(options?: Parameters<typeof startRedis>[0]): () => Redis {
  let redis: Redis | undefined;
  beforeAll(async () => { redis = await startRedis(options); });
  afterAll(async () => { await redis?.remove(); });
  return () => {
    if (redis === undefined) throw new Error('The Redis of this test file starts in beforeAll');
    return redis;
  };
}
