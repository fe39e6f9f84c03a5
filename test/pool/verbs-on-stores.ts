import { randomUUID } from 'node:crypto';

import type { FailedRefreshReport } from '../../src/pool/alarms.ts';
import { Alarms } from '../../src/pool/alarms.ts';
import { Attempts } from '../../src/pool/attempts.ts';
import { ClientHolds } from '../../src/pool/client-holds.ts';
import { NearCache } from '../../src/pool/near-cache.ts';
import { PoolPlanner } from '../../src/pool/pool-planner.ts';
import { AnswerRedeemer } from '../../src/pool/redeem-answer.ts';
import { EndRedeemer } from '../../src/pool/redeem-end.ts';
import { Scheduler } from '../../src/pool/scheduler.ts';
import { LapseReporter, type LapsedToken } from '../../src/pool/lapse-reporter.ts';
import { ClaimReturner } from '../../src/pool/give-back.ts';
import { FailureSettler } from '../../src/pool/settle-failure.ts';
import { TokenPublisher } from '../../src/pool/token-publisher.ts';
import { ClaimTable } from '../../src/mysql/claims.ts';
import type { Database } from '../../src/mysql/connection.ts';
import { OutcomeTable } from '../../src/mysql/outcomes.ts';
import { OwnerTable } from '../../src/mysql/owners.ts';
import { PoolChanges } from '../../src/mysql/pool-changes.ts';
import { TermTable } from '../../src/mysql/terms.ts';
import { TokenSealing } from '../../src/mysql/token-sealing.ts';
import { RefreshQueue } from '../../src/queue/refresh-queue.ts';
import { FeedPublisher } from '../../src/redis/feed.ts';
import { LivePool } from '../../src/redis/live-pool.ts';
import { LiveTokenCode } from '../../src/redis/live-token-code.ts';
import { PendingAnswers } from '../../src/redis/pending.ts';
import type { RedisClient } from '../../src/redis/connection.ts';
import type { RedisEndpoint, RedisRole } from '../../src/redis/endpoint.ts';
import { ClusterClock } from '../../src/runtime/clock.ts';
import { Limiter } from '../../src/runtime/limiter.ts';
import { Metrics } from '../../src/runtime/metrics.ts';
import { prints, ringOf, silent, type TokenDatabase } from '../mysql/token-database.ts';
import { untilReady } from '../redis/clients.ts';

export interface StoresOfTest {
  readonly database: TokenDatabase;
  readonly redisUrl: string;
  readonly connect: (endpoint: RedisEndpoint, role: RedisRole) => RedisClient;
  /** Where the outcomes of attempts are written, default the database. */
  readonly outcomesDb?: Database;
}

class HeardAlarms extends Alarms {
  readonly heard: FailedRefreshReport[] = [];

  override refreshFailed(report: FailedRefreshReport): void {
    this.heard.push(report);
  }
}

class HeardLapses extends LapseReporter {
  readonly heard: LapsedToken[] = [];

  override report(lapsed: LapsedToken): void {
    this.heard.push(lapsed);
  }
}

/** What the verbs of the pool are made of, on real stores, under a prefix of its own. */
export async function verbsOn({ database, redisUrl, connect, outcomesDb = database.db }: StoresOfTest) {
  const { db, tokens } = database;
  const prefix = `test-${randomUUID()}`;
  const [reads, writes] = await Promise.all([untilReady(connect({ url: redisUrl }, 'read')), untilReady(connect({ url: redisUrl }, 'write'))]);
  const clock = new ClusterClock();
  const transit = ringOf('7');
  const code = new LiveTokenCode(transit);
  const cache = new NearCache(clock, () => true);
  const livePool = new LivePool(reads, writes, prefix, code, () => undefined);
  const feed = new FeedPublisher(writes, prefix, () => undefined);
  const pending = new PendingAnswers(writes, prefix);
  const queue = new RefreshQueue({ connection: connect({ url: redisUrl }, 'queue'), prefix: `{${prefix}:refresh}` }, () => clock.now(), () => undefined);
  const owners = new OwnerTable({ retryMax: 1, retryDelayMs: 1000 });
  const outcomes = new OutcomeTable(db, new TokenSealing(ringOf()));
  const changes = new PoolChanges(db);
  const claims = new ClaimTable(outcomesDb, prints, 'node-a');
  const scheduler = new Scheduler(queue, { leadTimeMs: 5000, jitter: 0 }, clock, silent);
  const publisher = new TokenPublisher(cache, livePool, feed, code, silent);
  const alarms = new HeardAlarms(db, { notify: () => undefined }, silent);
  const holds = new ClientHolds(clock);
  const databaseShare = new Limiter(5);
  const lapses = new HeardLapses({ db, notifier: { notify: () => undefined }, metrics: new Metrics({ version: 'test', runtime: false }), logger: silent });
  const redeemer = new AnswerRedeemer({ db, owners, tokens, outcomes, pending, publisher, scheduler, clock, logger: silent, databaseShare, lapses, defaultLifetimeMs: undefined });
  const failures = new FailureSettler({ db, tokens, claims, outcomes, pending, publisher, scheduler, holds, alarms, clock, logger: silent });
  const returner = new ClaimReturner({ db, outcomes, pending, publisher, failures, clock, logger: silent });
  const endRedeemer = new EndRedeemer({ db, owners, tokens, pending, failures, returner });
  const planner = new PoolPlanner({ db, owners, tokens, changes, scheduler, publisher, databaseShare, clock });
  const terms = new TermTable(db, 'node-a');
  const attempts = new Attempts();
  return { prefix, writes, db, tokens, clock, transit, code, cache, livePool, feed, pending, queue, owners, outcomes, changes, claims, scheduler, publisher, alarms, holds, lapses, redeemer, failures, returner, endRedeemer, planner, terms, attempts };
}

export type VerbsOnStores = Awaited<ReturnType<typeof verbsOn>>;
