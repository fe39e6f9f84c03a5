import { Redis } from 'ioredis';

import type { Stage } from './stage.ts';

/** A refresh that is due for so long, ms, is held up. */
const overdueMs = 2000;

/** Slots whose valid token has expired, or whose refresh should have begun. */
export async function slotsWithoutFreshToken({ stores }: Stage): Promise<number> {
  const now = 'UNIX_TIMESTAMP(NOW(3)) * 1000';
  const [row] = await stores.query<{ slots: number }>(`SELECT COUNT(*) AS slots FROM tsttoken WHERE isvalid = 1
    AND (UNIX_TIMESTAMP(createdtime) * 1000 + tokenvalidity <= ${now} OR (state = 'idle' AND dueat < ${now} - ${overdueMs}))`);
  return row?.slots ?? Infinity;
}

/** Slots for which the live pool in Redis holds a token that is alive and handed out, or drained. */
export async function slotsInRedis({ stores, owners }: Stage): Promise<number> {
  const redis = new Redis(stores.redis.url, { maxRetriesPerRequest: 1, retryStrategy: () => 200, connectTimeout: 1000 });
  redis.on('error', () => undefined);
  try {
    const pools = await Promise.all(owners.map(({ id }) => redis.hvals(`tokenpool:pool:{${encodeURIComponent(id)}}`)));
    return pools.flat().filter(isAlive).length;
  } finally {
    redis.disconnect();
  }
}

/** `version:uc:phase:expiry:...`, as `src/redis/live-token-code.ts` writes it. */
function isAlive(value: string): boolean {
  const [, , phase, expiry] = value.split(':');
  return phase !== 'g' && Number(expiry) > Date.now();
}
