import type { Config } from '../config/config.ts';
import type { Notifier } from '../mail/notifier.ts';
import type { Courier } from '../oauth/courier.ts';
import type { NearCache } from '../pool/near-cache.ts';
import type { RefreshQueue } from '../queue/refresh-queue.ts';
import type { RedisClient } from '../redis/connection.ts';
import type { FeedPublisher } from '../redis/feed.ts';
import type { LivePool } from '../redis/live-pool.ts';
import type { LiveTokenCode } from '../redis/live-token-code.ts';
import type { PendingAnswers } from '../redis/pending.ts';
import type { ClusterClock } from '../runtime/clock.ts';
import type { Logging } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { Stores } from './stores.ts';

/** What everything else is built on: settings, stores and the adapters around them. */
export interface Ground {
  readonly config: Config;
  readonly logging: Logging;
  readonly metrics: Metrics;
  readonly clock: ClusterClock;
  readonly stores: Stores;
  readonly reads: RedisClient;
  readonly writes: RedisClient;
  /** Whether the feed can be relied on; set when there is a subscriber. */
  readonly feedState: { healthy: () => boolean };
  readonly cache: NearCache;
  readonly livePool: LivePool;
  readonly feed: FeedPublisher;
  readonly code: LiveTokenCode;
  readonly pending: PendingAnswers;
  readonly queue: RefreshQueue;
  readonly courier: Courier;
  readonly notifier: Notifier;
}
