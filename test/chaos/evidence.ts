import type { RedisClient } from '../../src/redis/connection.ts';
import type { Provider } from '../harness/provider/provider.ts';
import type { ReadsReport } from '../harness/readers.ts';
import type { SystemOfRecord } from '../harness/system-of-record.ts';
import type { Ledger } from './checker/ledger.ts';
import type { PoolWatch } from './checker/redis-sampler.ts';

/** From, and until; epoch ms. */
export interface Interval {
  readonly from: number;
  readonly until: number;
}

/** The end of a process without warning. */
export interface Death {
  readonly node: string;
  /** Epoch ms. */
  readonly at: number;
}

/** One answer that a reader got, or did not get. */
export interface ReadAnswer {
  readonly owner: string;
  readonly sentAt: number;
  readonly endedAt: number;
  /** The node that answered, `host:port`; undefined where none did. */
  readonly servedBy: string | undefined;
  readonly status: number | null;
  /** What was wrong with it: the service's code, an error code, `expired`, `revoked`, `unknown` or `wrongOwner`; undefined for a good answer. */
  readonly why: string | undefined;
  /** Of the token that was handed out, as its provider knows it. */
  readonly grantId: string | undefined;
  /** The how manieth access token of its grant it is; higher is newer. */
  readonly sequence: number | undefined;
}

/** A grant and the owner whose row it was put into. */
export interface PlacedGrant {
  readonly provider: Provider;
  readonly grantId: string;
  readonly owner: string;
}

/** All that a run leaves behind to be compared, once faults have ended and the cluster has had time to converge. */
export interface Evidence {
  readonly providers: readonly Provider[];
  readonly grants: readonly PlacedGrant[];
  readonly record: SystemOfRecord;
  /** With which the nodes log in to the record. */
  readonly nodePassword: string;
  /** A connection to the live pool for the checker alone, and the prefix of its keys. */
  readonly redis: RedisClient;
  readonly redisPrefix: string;
  readonly journalFolders: readonly string[];
  /** Attempts whose answer was on a node's disk when it came to the point at which something was done to its process. */
  readonly seenOnDisk?: readonly string[];
  readonly reads: ReadsReport;
  /** While callers read: what is counted by the minute is counted in this time. */
  readonly watched: Interval;
  readonly answers: readonly ReadAnswer[];
  /** When no node at all was there to answer, by what was done to them, each until the first node was ready again. */
  readonly nobodyUp: readonly Interval[];
  /** Of couriers: what one had under way is lost. */
  readonly courierDeaths: readonly Death[];
  /** Of nodes, not their couriers: a courier's answer may have found nobody. */
  readonly nodeDeaths: readonly Death[];
  /** When answers of providers could get lost in another way, such as by a proxy that cuts connections. */
  readonly answerLosses: readonly Interval[];
  /** When Redis could lose what it held, or be away: word that a request failed is there and nowhere else. */
  readonly redisTroubles: readonly Interval[];
  /** What a sampler saw of the live pool throughout the run. */
  readonly poolWatch: PoolWatch;
  /** Logs of every node, each run of it; read once all have been stopped. */
  readonly logs: readonly string[];
  /** Stops every node in order (SIGTERM) and waits for their couriers too: called once what needs a living cluster was checked. */
  readonly stopNodes: () => Promise<void>;
  /** By when, after the last fault ended, everything must have converged, epoch ms: what is wrong then may change only if it was under way. */
  readonly settledAt: number;
}

export interface Finding {
  /** The invariant, as a sentence that holds: `No refresh token was presented twice`. */
  readonly invariant: string;
  /** Of how many cases it was checked; 0 means that nothing was shown. */
  readonly cases: number;
  /** What broke it, each in a line without secrets. */
  readonly violations: readonly string[];
  /** Whether a run with traffic and faults may have no case of it. */
  readonly isOccasional?: boolean;
}

/** One invariant; a file each. @param ledger what the database said when all nodes had been stopped */
export type Check = (evidence: Evidence, ledger: Ledger) => Finding | Promise<Finding>;
