import type { Config } from '../config/config.ts';
import type { RedisClient } from '../redis/connection.ts';
import { memoryPolicy } from '../redis/memory-policy.ts';
import type { Logger } from '../runtime/log.ts';

/** A Redis that evicts keys loses jobs and the lease under pressure. Nothing is lost for good, so the service runs, and says it. */
export async function adviseOnMemory(redis: RedisClient, logger: Logger): Promise<void> {
  const policy = await memoryPolicy(redis).catch(() => undefined);
  if (policy === undefined || policy === 'noeviction') return;
  logger.error({ policy }, `Redis evicts keys (maxmemory-policy ${policy}): set it to noeviction, or refreshes are late and the master changes whenever memory is short`);
}

/** Says what stands in the clear where no key is configured. */
export function adviseOnSealing({ sealing }: Config, logger: Logger): Promise<void> {
  if (sealing.keys.length === 0) {
    logger.warn({ tables: ['tsttoken.accesstoken', 'tsttoken.refreshtoken', 'tsttoken.tokenauth'] }, 'NO SEALING KEY: access tokens, refresh tokens and client secrets stand in the database IN THE CLEAR. Set sealing.keys to seal them');
  }
  return Promise.resolve();
}
