import { collectDefaultMetrics, Registry } from 'prom-client';

import { instrumentsIn } from './metrics-instruments.ts';
import { ReadCounters } from './metrics-reads.ts';
import type { ReadOutcome, ReadSource } from './metrics-reads.ts';
import { TokenGauges } from './metrics-tokens.ts';
import type { TokenSource } from './metrics-tokens.ts';

export interface MetricsOptions {
  /** Of the service. */
  readonly version: string;
  /** Owners that get series of their own, 0 or more. */
  readonly ownerLabels?: number;
  /** ms before expiry at which a refresh starts at the latest; 0 where nobody says. */
  readonly refreshLeadMs?: number;
  /** Whether the process and Node.js are measured too. */
  readonly runtime?: boolean;
}

/** What is looked up at the time of a scrape, from memory. */
export interface MetricSources {
  readonly tokens: TokenSource;
  readonly nearCache: () => { readonly trusted: number; readonly suspect: number };
  /** ms by which this machine's wall clock is ahead of the cluster's. */
  readonly wallClockAheadMs: () => number;
  /** Whether load may be sent to this node. */
  readonly isReady: () => boolean;
}

const refreshEnds = ['refreshed', 'not_due', 'unreachable', 'unavailable', 'invalid_client', 'invalid_grant', 'refused', 'in_doubt', 'error'] as const;
const mailEnds = ['sent', 'failed', 'dropped'] as const;
const feedBreaks = ['gap', 'silence', 'reconnect'] as const;
const journalWork = ['append', 'read', 'clear'] as const;
/** The route of reads, as it is counted, and all that a read can be refused with. */
const reading = { route: '/tokenservice/:ownerId', codes: ['TP0001', 'TP0002', 'TP0003', 'TPS0005', 'TPS0007', 'TPS0013', 'TPS0016'] } as const;

export type RefreshEnd = (typeof refreshEnds)[number];

/** Everything that is counted and measured, as a vocabulary. Durations are in seconds. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #reads = new ReadCounters(this.#registry);
  readonly #all = instrumentsIn(this.#registry);
  readonly #tokens: TokenGauges;
  #sources: Partial<MetricSources> = {};

  #isMaster = false;

  constructor({ version, ownerLabels = 100, refreshLeadMs = 0, runtime = true }: MetricsOptions) {
    this.#tokens = new TokenGauges(this.#registry, ownerLabels);
    this.#all.build.set({ version, node: process.version }, 1);
    this.#all.lead.set(refreshLeadMs / 1000);
    this.#beginAtZero();
    if (runtime) collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text that Prometheus scrapes. */
  async expose(): Promise<string> {
    this.#collect();
    return this.#registry.metrics();
  }

  /** Name, type and labels of every metric, for documentation that must not lie. */
  describe(): { readonly name: string; readonly type: string; readonly labels: readonly string[] }[] {
    return this.#registry.getMetricsAsArray().map((metric) => {
      const { name, type, labelNames } = metric as unknown as { name: string; type: string; labelNames: string[] };
      return { name, type, labels: labelNames };
    });
  }

  /** Adds sources; one of a name that is there already is replaced. */
  readFrom(sources: Partial<MetricSources>): void {
    this.#sources = { ...this.#sources, ...sources };
    if (sources.tokens) this.#tokens.readFrom(sources.tokens);
  }

  /** A read answered from memory: one addition, for the hot path. */
  servedFromMemory(): void {
    this.#reads.servedFromMemory();
  }

  read(source: ReadSource, outcome: ReadOutcome): void {
    this.#reads.count(source, outcome);
  }

  requestFailed(route: string, code: string): void {
    this.#all.failures.inc({ route, code });
  }

  waitBegan(): void {
    this.#all.waitingNow.inc();
  }

  waitEnded(seconds: number): void {
    this.#all.waitingNow.dec();
    this.#all.waits.observe(seconds);
  }

  refreshBegan(): void {
    this.#all.refreshesStarted.inc();
    this.#all.refreshesRunning.inc();
  }

  refreshEnded(outcome: RefreshEnd, seconds: number): void {
    this.#all.refreshesRunning.dec();
    this.#all.refreshes.observe({ outcome }, seconds);
  }

  /** How many slots need care, as counted in the system of record; of the master alone, for those of a node that no longer is would stay. */
  slotsCounted(counts: { readonly inDoubt: number; readonly stopped: number; readonly dead: number }): void {
    if (!this.#isMaster) return;
    this.#all.slots.set({ state: 'in_doubt' }, counts.inDoubt);
    this.#all.slots.set({ state: 'stopped' }, counts.stopped);
    this.#all.slots.set({ state: 'dead' }, counts.dead);
  }

  /** A provider issued a token and none of the places that keep it until it is recorded did. */
  tokenLost(): void {
    this.#all.lostTokens.inc();
  }

  /** A token had expired before the next one was there. */
  tokenLapsed(): void {
    this.#all.lapsedTokens.inc();
  }

  answerReplayed(from: 'journal' | 'redis'): void {
    this.#all.replays.inc({ from });
  }

  /** @param reason a fixed word, such as `overdue` or `no_job` */
  slotReconciled(reason: string): void {
    this.#all.reconciled.inc({ reason });
  }

  becameMaster(epoch: number): void {
    this.#isMaster = true;
    this.#all.failovers.inc();
    this.#all.lease.set(1);
    this.#all.epoch.set(epoch);
  }

  becameFollower(): void {
    this.#isMaster = false;
    this.#all.lease.set(0);
    this.#all.slots.reset();
    this.#all.queue.reset();
  }

  epochSeen(epoch: number): void {
    this.#all.epoch.set(epoch);
  }

  /** Of the master alone, too. */
  queueMeasured(counts: Readonly<Record<'waiting' | 'delayed' | 'active' | 'failed', number>>): void {
    if (!this.#isMaster) return;
    for (const [state, count] of Object.entries(counts)) this.#all.queue.set({ state }, count);
  }

  /** @param lateSeconds between the planned start and the real one; early is 0 */
  jobBegan(lateSeconds: number): void {
    this.#all.lateness.observe(Math.max(0, lateSeconds));
  }

  /** @param operation a fixed word, never anything of a caller */
  storeAnswered(store: 'mysql' | 'redis', operation: string, ok: boolean, seconds: number): void {
    this.#all.stores.observe({ store, operation, ok: String(ok) }, seconds);
  }

  mailEnded(outcome: (typeof mailEnds)[number]): void {
    this.#all.mails.inc({ outcome });
  }

  /** `gap`: a number was missing; `silence`: no heartbeat came; `reconnect`: the connection was lost. */
  feedBroken(reason: (typeof feedBreaks)[number]): void {
    this.#all.feedGaps.inc({ reason });
  }

  /** `append`: it did not take what was written, or not in time; `read`, `clear`: what it holds could not be looked through or removed. */
  journalFailed(operation: (typeof journalWork)[number]): void {
    this.#all.journalFailures.inc({ operation });
  }

  courierRestarted(): void {
    this.#all.courierRestarts.inc();
  }

  /** What can be known beforehand is there from the start: of a counter that appears with its first event, Prometheus sees no increase. */
  #beginAtZero(): void {
    for (const outcome of refreshEnds) this.#all.refreshes.zero({ outcome });
    for (const outcome of mailEnds) this.#all.mails.inc({ outcome }, 0);
    for (const reason of feedBreaks) this.#all.feedGaps.inc({ reason }, 0);
    for (const operation of journalWork) this.#all.journalFailures.inc({ operation }, 0);
    for (const code of reading.codes) this.#all.failures.inc({ route: reading.route, code }, 0);
    for (const from of ['journal', 'redis']) this.#all.replays.inc({ from }, 0);
  }

  #collect(): void {
    this.#reads.collect();
    this.#tokens.collect();
    const { nearCache, wallClockAheadMs, isReady } = this.#sources;
    if (nearCache) {
      const { trusted, suspect } = nearCache();
      this.#all.nearCache.set({ state: 'trusted' }, trusted);
      this.#all.nearCache.set({ state: 'suspect' }, suspect);
    }
    if (wallClockAheadMs) this.#all.clockAhead.set(wallClockAheadMs() / 1000);
    if (isReady) this.#all.ready.set(isReady() ? 1 : 0);
  }
}
