import { Alarms } from '../pool/alarms.ts';
import { Attempts } from '../pool/attempts.ts';
import { ClientHolds } from '../pool/client-holds.ts';
import { LapseReporter } from '../pool/lapse-reporter.ts';
import { ClaimReturner } from '../pool/give-back.ts';
import { FailureSettler } from '../pool/settle-failure.ts';
import { CommandHandler } from '../pool/master-commands.ts';
import { PoolPlanner } from '../pool/pool-planner.ts';
import { PoolRecord } from '../pool/pool-record.ts';
import { AnswerRedeemer } from '../pool/redeem-answer.ts';
import { EndRedeemer } from '../pool/redeem-end.ts';
import { SubjectReader } from '../pool/refresh-subject.ts';
import { TokenRefresher } from '../pool/refresh-token.ts';
import { PoolRestarter } from '../pool/restart-pool.ts';
import { Scheduler } from '../pool/scheduler.ts';
import { TokenPublisher } from '../pool/token-publisher.ts';
import { TurnTaking } from '../pool/turn-taking.ts';
import { Limiter } from '../runtime/limiter.ts';
import { ClaimTable } from '../mysql/claims.ts';
import type { Ground } from './ground.ts';

export interface Verbs {
  readonly attempts: Attempts;
  readonly claims: ClaimTable;
  readonly scheduler: Scheduler;
  readonly publisher: TokenPublisher;
  readonly alarms: Alarms;
  readonly redeemer: AnswerRedeemer;
  readonly failures: FailureSettler;
  readonly endRedeemer: EndRedeemer;
  readonly planner: PoolPlanner;
  readonly refresher: TokenRefresher;
  readonly handler: CommandHandler;
  readonly record: PoolRecord;
  readonly holds: ClientHolds;
  readonly lapses: LapseReporter;
}

/** Of the connections to the database, those that refreshes leave alone. */
const connectionsForCallers = 3;

/** The verbs of the pool, made by hand. */
export function buildVerbs(ground: Ground): Verbs {
  const { config, logging, metrics, clock, stores, cache, livePool, feed, code, pending, queue, courier, notifier } = ground;
  const { db, owners, tokens, outcomes, changes, prints } = stores;
  const logger = logging.logger('pool.refresh');
  const attempts = new Attempts();
  const databaseShare = new Limiter(Math.max(1, config.database.connectionLimit - connectionsForCallers));
  const holds = new ClientHolds(clock);
  const claims = new ClaimTable(db, prints, config.cluster.nodeId);
  const scheduler = new Scheduler(queue, { leadTimeMs: config.refreshWakeUpLeadTime, jitter: config.refresh.jitter }, clock, logging.logger('queue'));
  const publisher = new TokenPublisher(cache, livePool, feed, code, logging.logger('pool.publish'));
  const alarms = new Alarms(db, notifier, logger);
  const lapses = new LapseReporter({ db, notifier, metrics, logger });
  const redeemer = new AnswerRedeemer({ db, owners, tokens, outcomes, pending, publisher, scheduler, clock, logger, databaseShare, lapses, defaultLifetimeMs: config.refresh.defaultLifetime });
  const failures = new FailureSettler({ db, tokens, claims, outcomes, pending, publisher, scheduler, holds, alarms, clock, logger });
  const returner = new ClaimReturner({ db, outcomes, pending, publisher, failures, clock, logger });
  const endRedeemer = new EndRedeemer({ db, owners, tokens, pending, failures, returner });
  const subjects = new SubjectReader({ db, owners, tokens, changes, holds, scheduler, clock, logger });
  const planner = new PoolPlanner({ db, owners, tokens, changes, scheduler, publisher, databaseShare, clock });
  const refresher = new TokenRefresher({
    subjects,
    claims,
    changes,
    courier,
    redeemer,
    failures,
    returner,
    publisher,
    attempts,
    turns: new TurnTaking(),
    clock,
    logger,
    metrics,
    retryStatuses: config.retryResponseCodes,
    concurrency: config.refresh.concurrency,
    databaseShare,
  });
  const restarter = new PoolRestarter({ db, owners, tokens, changes, planner, holds, livePool, publisher, feed, logger: logging.logger('pool.restart') });
  const handler = new CommandHandler(refresher, restarter, db, owners, tokens, logging.logger('pool.command'));
  const record = new PoolRecord(db, owners, tokens, clock);
  return { attempts, claims, scheduler, publisher, alarms, redeemer, failures, endRedeemer, planner, refresher, handler, record, holds, lapses };
}
