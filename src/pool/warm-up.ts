import { StoreUnavailable } from '../domain/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { NearCache } from './near-cache.ts';
import type { PoolRecord } from './pool-record.ts';

/** Fills the near-cache before the node takes load, so that it can serve every owner even if all stores go away. */
export async function warmUp(record: PoolRecord, cache: NearCache, clock: Clock, logger: Logger): Promise<void> {
  const askedAt = clock.monotonic();
  try {
    const { entries } = await record.read();
    for (const [ownerId, ofOwner] of Map.groupBy(entries, (entry) => entry.ownerId)) {
      cache.learn(ownerId, ofOwner.map(({ token }) => token), 0, askedAt);
    }
    logger.info({ tokens: entries.length }, 'The near-cache is warm');
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    logger.warn({}, 'The near-cache starts cold: the record does not answer');
  }
}
