import { StoreUnavailable } from '../domain/errors.ts';
import type { Token } from '../domain/token.ts';
import { Elector } from '../leader/elector.ts';
import { heartbeat } from '../leader/heartbeat.ts';
import { MasterDuties } from '../leader/master-duties.ts';
import { OrphanSettler } from '../leader/orphan-settler.ts';
import { PendingRedeemer } from '../leader/pending-redeemer.ts';
import { PoolBuilder } from '../leader/pool-builder.ts';
import { Reconciler } from '../leader/reconciler.ts';
import { TermTable } from '../mysql/terms.ts';
import { recordingLimitMs } from '../oauth/errand.ts';
import type { RefreshCause } from '../pool/refresh-subject.ts';
import type { Term } from '../pool/term.ts';
import type { Ground } from './ground.ts';
import { onQueueError, queueOptions } from './settings.ts';
import type { Verbs } from './verbs.ts';
import { CommandWorker } from '../queue/command-queue.ts';
import { RefreshWorker } from '../queue/refresh-worker.ts';
import { RedisLease } from '../redis/lease.ts';

/** Slack beyond the deadlines of a request, ms. */
const slackMs = 5000;

/** The elector with all that only the master does. */
export function buildMaster(ground: Ground, verbs: Verbs): Elector {
  const { config, logging, metrics, clock, stores, feed } = ground;
  const { leaseTime, renewEvery, nodeId } = config.cluster;
  const elector: Elector = new Elector({
    lease: new RedisLease(stores.redis('lease'), config.redis.keyPrefix),
    terms: new TermTable(stores.db, nodeId),
    timing: { leaseMs: leaseTime, renewMs: renewEvery },
    duties: buildDuties(ground, verbs, () => elector.term),
    clock,
    logger: logging.logger('leader'),
    announceVacancy: () => feed.publish({ kind: 'vacant' }),
    onChange: (term) => {
      verbs.holds.forgetAll();
      verbs.failures.forgetRefusals();
      if (term) metrics.becameMaster(term.epoch);
      else metrics.becameFollower();
    },
  });
  return elector;
}

function buildDuties(ground: Ground, verbs: Verbs, term: () => Term | undefined): MasterDuties {
  const { config, logging, feed, metrics, clock } = ground;
  const logger = logging.logger('leader');
  const start = starter(ground, verbs, term);
  const worker = queueOptions(ground, 'worker');
  const onError = onQueueError(ground);
  return new MasterDuties({
    reconciler: buildReconciler(ground, verbs, start),
    reconcileEveryMs: config.refresh.reconcileEvery,
    heartbeat: (held) => heartbeat(feed, held),
    workers: (held) => [
      new RefreshWorker(worker, ({ version, ownerDid, dueAt }) => {
        metrics.jobBegan((clock.now() - dueAt) / 1000);
        start(version, ownerDid, 'due');
      }, onError),
      new CommandWorker(worker, () => clock.now(), (command, begunAfter) => verbs.handler.handle(command, held, begunAfter), onError),
    ],
    clock,
    logger,
  });
}

type StartRefresh = (version: number, ownerDid: number, cause: RefreshCause) => void;

/** Starts refreshes that nobody waits for. */
function starter({ logging }: Ground, { refresher }: Verbs, term: () => Term | undefined): StartRefresh {
  const logger = logging.logger('pool.refresh');
  return (version, ownerDid, cause) => {
    const held = term();
    if (!held) return;
    refresher.refresh(version, ownerDid, held, cause).catch((error: unknown) => {
      if (error instanceof StoreUnavailable) logger.debug({ version, store: error.store }, 'A refresh could not be begun; the reconciler tries again');
      else logger.error({ version, error }, 'A refresh failed unexpectedly; the reconciler tries again');
    });
  };
}

function buildReconciler(ground: Ground, verbs: Verbs, start: StartRefresh): Reconciler {
  const { config, logging, metrics, clock, stores, livePool, pending, queue } = ground;
  const { db, owners, tokens, changes } = stores;
  const { attempts, publisher, redeemer, failures, endRedeemer, alarms, claims, planner, scheduler, record, refresher } = verbs;
  const logger = logging.logger('leader.reconciler');
  const longestRequestMs = config.refresh.connectTimeout + config.refresh.requestTimeout + 2 * recordingLimitMs + slackMs;
  const startRefresh = (token: Token, cause: RefreshCause): void => start(token.version, token.ownerDid, cause);
  return new Reconciler({
    db,
    tokens,
    livePool,
    queue,
    planner,
    builder: new PoolBuilder({ db, owners, tokens, changes, livePool, publisher, scheduler, record }),
    orphans: new OrphanSettler({
      db,
      owners,
      tokens,
      claims,
      attempts,
      failures,
      alarms,
      clock,
      logger,
      longestRequestMs,
      startRefresh,
    }),
    pending: new PendingRedeemer(pending, redeemer, endRedeemer, attempts, stores.transit.ring, logger, metrics),
    clock,
    logger,
    metrics,
    isUnderWay: (version) => refresher.isUnderWay(version),
    startRefresh,
  });
}
