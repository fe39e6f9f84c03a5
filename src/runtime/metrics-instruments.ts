import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

/** Seconds: from a store on the same machine to one that hits its deadline. */
const storeBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
/** Seconds: from a quick provider to the deadline of a refresh, with what a drain adds. */
const refreshBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** Seconds: from a wake-up at once to the longest wait that the defaults allow (2,000 s). */
const waitBuckets = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 2000];
/** Seconds: a job a minute late endangers tokens of usual lead times. */
const latenessBuckets = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800];

/** Every instrument that the service moves itself; docs/metrics.md lists them for operators. */
export type Instruments = ReturnType<typeof create>;

export function instrumentsIn(registry: Registry): Instruments {
  return create(registry);
}

function create(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) => new Counter({ name: `tokenpool_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]) => new Gauge({ name: `tokenpool_${name}`, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, buckets: number[], ...labelNames: L[]) =>
    new Histogram({ name: `tokenpool_${name}`, help, buckets, labelNames, registers });
  return {
    refreshesStarted: counter('refresh_attempts_total', 'Refreshes begun.'),
    refreshes: histogram('refresh_seconds', 'Duration of a refresh from its claim to its record, by outcome.', refreshBuckets, 'outcome'),
    refreshesRunning: gauge('refreshes_running', 'Refreshes under way on this node.'),
    slots: gauge('slots', 'Slots that need care, by state.', 'state'),
    lostTokens: counter('lost_tokens_total', 'Tokens that a provider issued and that neither journal nor Redis could keep.'),
    lapsedTokens: counter('lapsed_tokens_total', 'Tokens that expired before they were replaced.'),
    replays: counter('replayed_answers_total', 'Answers of providers recorded, and attempts settled that had not used their refresh token, after a crash or takeover.', 'from'),
    reconciled: counter('reconciled_slots_total', 'Slots that the reconciler had to put right.', 'reason'),
    waits: histogram('wait_seconds', 'Waits of callers for a token.', waitBuckets),
    waitingNow: gauge('waiting_callers', 'Callers waiting for a token now.'),
    failures: counter('request_failures_total', 'Calls that failed, by route and code.', 'route', 'code'),
    lease: gauge('lease_held', '1 on the master, else 0.'),
    epoch: gauge('epoch', 'The term number of the master, as this node last saw it.'),
    failovers: counter('failovers_total', 'Times that this node became master.'),
    queue: gauge('queue_jobs', 'Jobs in the queue, by state.', 'state'),
    lateness: histogram('job_lateness_seconds', 'Time between the planned and the real start of a job.', latenessBuckets),
    stores: histogram('store_seconds', 'Duration of calls to the stores.', storeBuckets, 'store', 'operation', 'ok'),
    mails: counter('mails_total', 'Mails, by outcome.', 'outcome'),
    feedGaps: counter('feed_gaps_total', 'Times that the feed was found incomplete.', 'reason'),
    journalFailures: counter('journal_failures_total', 'Failures of the local journal.', 'operation'),
    nearCache: gauge('near_cache_entries', 'Owners in the near-cache, by whether the entry is trusted.', 'state'),
    clockAhead: gauge('wall_clock_ahead_seconds', "Time by which this machine's wall clock is ahead of the cluster's."),
    courierRestarts: counter('courier_restarts_total', 'Times that the courier ended by itself and was started again.'),
    ready: gauge('ready', '1 while load may be sent to this node, else 0.'),
    lead: gauge('refresh_lead_seconds', 'Time before the expiry of a token at which its refresh starts at the latest.'),
    build: gauge('build_info', '1, with the versions as labels.', 'version', 'node'),
  };
}
