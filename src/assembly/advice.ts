import type { Config } from '../config/config.ts';
import type { RedisClient } from '../redis/connection.ts';
import { memoryPolicy } from '../redis/memory-policy.ts';
import type { Logger } from '../runtime/log.ts';

/** Says what is unwise about this installation. */
export async function advise(config: Config, redis: RedisClient, logger: Logger): Promise<void> {
  adviseOnSealing(config, logger);
  await adviseOnMemory(redis, logger);
}

/** A Redis that evicts keys loses jobs and the lease under pressure. Nothing is lost for good, so the service runs, and says it. */
async function adviseOnMemory(redis: RedisClient, logger: Logger): Promise<void> {
  const policy = await memoryPolicy(redis).catch(() => undefined);
  if (policy === undefined || policy === 'noeviction') return;
  logger.error({ policy }, `Redis evicts keys (maxmemory-policy ${policy}): set it to noeviction, or refreshes are late and the master changes whenever memory is short`);
}

function adviseOnSealing({ sealing }: Config, logger: Logger): void {
  if (sealing.keys.length > 0) return;
  const tables = ['tsttoken.accesstoken', 'tsttoken.refreshtoken', 'tsttoken.tokenauth'];
  logger.warn({ tables }, 'NO SEALING KEY: access tokens, refresh tokens and client secrets stand in the database IN THE CLEAR. Set sealing.keys to seal them');
}
