import type { Config } from '../config/config.ts';
import { adminApp } from '../http/admin-routes.ts';
import { fastPath } from '../http/fast-path.ts';
import type { HealthCheck } from '../http/health-checks.ts';
import { Listener } from '../http/listener.ts';
import type { PoolVerbs } from '../http/pool-verbs.ts';
import { loggedFastPath } from '../http/request-log.ts';
import { tokenApp } from '../http/token-app.ts';
import type { Term } from '../pool/term.ts';
import type { RedisClient } from '../redis/connection.ts';
import type { FeedSubscriber } from '../redis/feed-subscriber.ts';
import type { Database } from '../mysql/connection.ts';
import type { ClusterClock } from '../runtime/clock.ts';
import type { Logging } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';

export interface WaysInParts {
  readonly config: Config;
  readonly logging: Logging;
  readonly metrics: Metrics;
  readonly version: string;
  readonly verbs: PoolVerbs;
  readonly db: Database;
  readonly redis: RedisClient;
  readonly feed: FeedSubscriber;
  readonly clock: ClusterClock;
  readonly term: () => Term | undefined;
  readonly isReady: () => { readonly ready: boolean; readonly reason?: string };
}

export interface WaysIn {
  readonly application: readonly Listener[];
  readonly admin: readonly Listener[];
}

/** ms that requests of operators are given when the service stops; they wait for nothing but a store. */
const adminGraceMs = 1000;

/** The listeners of both ports. */
export function buildListeners(parts: WaysInParts): WaysIn {
  const { config, logging, metrics, version, verbs } = parts;
  const peek = (ownerId: string): string | undefined => verbs.peek(ownerId);
  const log = logging.logger('http');
  const logRequests = requestsAreLogged(config);
  const app = tokenApp({ verbs, log, logRequests, version, maxWaiting: config.http.maxWaiting, onFailure: (route, code) => metrics.requestFailed(route, code) });
  const fast = logRequests ? loggedFastPath(fastPath(peek), log) : fastPath(peek);
  const admin = adminApp({ checks: healthChecks(parts), isReady: parts.isReady, metrics, cluster: () => clusterState(parts), log });
  const graceMs = config.http.shutdownGrace;
  return {
    application: config.server.applicationConnectors.map((connector) => new Listener({ name: 'application', connector, fastPath: fast, app, graceMs, log })),
    admin: config.server.adminConnectors.map((connector) => new Listener({ name: 'admin', connector, app: admin, graceMs: adminGraceMs, log })),
  };
}

/** The fast path stays fast: its requests are logged only where somebody asked for it. */
function requestsAreLogged({ logging }: Config): boolean {
  const level = logging.loggers['http'] ?? logging.level;
  return level === 'DEBUG' || level === 'TRACE' || level === 'ALL';
}

function healthChecks({ db, redis, feed }: WaysInParts): Record<string, HealthCheck> {
  return {
    mysql: async (signal) => {
      await db.query({ label: 'health', sql: 'SELECT 1' }, signal);
      return { healthy: true };
    },
    redis: async () => {
      await redis.ping();
      return { healthy: true };
    },
    feed: () => Promise.resolve(feed.healthy ? { healthy: true } : { healthy: false, message: 'nothing was heard from the master lately' }),
  };
}

async function clusterState({ config, version, term, feed, clock, db }: WaysInParts): Promise<object> {
  const held = term();
  const [row] = await db
    .query<{ epoch: number; holder: string | null; since: Date | null }>({ label: 'cluster', sql: 'SELECT epoch, holder, since FROM tstepoch WHERE id = 1' })
    .catch(() => []);
  return {
    node: config.cluster.nodeId,
    version,
    role: held ? 'master' : config.isMaster ? 'follower' : 'read-only follower',
    epoch: held?.epoch ?? (row ? Number(row.epoch) : null),
    master: row?.holder ?? null,
    masterSince: row?.since ?? null,
    feedHealthy: feed.healthy,
    wallClockAheadMs: Math.round(clock.wallClockAhead()),
  };
}
