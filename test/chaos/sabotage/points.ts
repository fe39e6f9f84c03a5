import type { ProcessKind } from './orders.ts';

/** Where in the built service a point lies: before or after a method, in the order of a refresh. */
export interface Place {
  readonly point: string;
  readonly process: ProcessKind;
  /** Below dist/. */
  readonly module: string;
  readonly owner: string;
  readonly method: string;
  readonly side: 'before' | 'after';
  /** Calls that do not count are passed over. */
  readonly counts?: (args: readonly unknown[], result: unknown) => boolean;
  /** Whose turn it is. */
  readonly attempt?: (args: readonly unknown[]) => string;
}

/** An entry of the journal. */
interface Entry {
  readonly phase: string;
  readonly attempt: string;
}

const isReady = ([, token]: readonly unknown[]): boolean => (token as { phase: string }).phase === 'ready';
const isTrue = (_: readonly unknown[], result: unknown): boolean => result === true;
const isClaimed = (_: readonly unknown[], result: unknown): boolean => result === 'claimed';
const isGranted = (_: readonly unknown[], result: unknown): boolean => (result as { kind: string }).kind === 'granted';

/** The named points inside a refresh, and those at which a master's term begins. */
export const places = [
  { point: 'before-claim', process: 'service', module: 'mysql/claims.js', owner: 'ClaimTable', method: 'claim', side: 'before' },
  { point: 'after-claim', process: 'service', module: 'mysql/claims.js', owner: 'ClaimTable', method: 'claim', side: 'after', counts: isClaimed },
  { point: 'before-courier', process: 'service', module: 'oauth/courier.js', owner: 'Courier', method: 'post', side: 'before' },
  { point: 'before-journal', process: 'courier', module: 'journal/attempt-recorder.js', owner: 'AttemptRecorder', method: 'sending', side: 'before' },
  { point: 'after-journal', process: 'courier', module: 'journal/attempt-recorder.js', owner: 'AttemptRecorder', method: 'sending', side: 'after' },
  { point: 'before-mark', process: 'courier', module: 'journal/attempt-recorder.js', owner: 'AttemptRecorder', method: 'mayLeave', side: 'before' },
  { point: 'after-mark', process: 'courier', module: 'journal/attempt-recorder.js', owner: 'AttemptRecorder', method: 'mayLeave', side: 'after', counts: isTrue },
  { point: 'before-send', process: 'courier', module: 'oauth/token-endpoint.js', owner: 'TokenEndpoint', method: 'refresh', side: 'before' },
  { point: 'after-answer', process: 'courier', module: 'oauth/token-endpoint.js', owner: 'TokenEndpoint', method: 'refresh', side: 'after', counts: isGranted },
  { point: 'before-keep', process: 'courier', module: 'journal/attempt-recorder.js', owner: 'AttemptRecorder', method: 'granted', side: 'before' },
  { point: 'after-keep', process: 'courier', module: 'journal/journal.js', owner: 'Journal', method: 'append', side: 'after', counts: ([entry]) => (entry as Entry).phase === 'granted', attempt: ([entry]) => (entry as Entry).attempt },
  { point: 'after-keep-in-redis', process: 'courier', module: 'redis/pending.js', owner: 'PendingAnswers', method: 'put', side: 'after' },
  { point: 'after-courier', process: 'service', module: 'oauth/courier.js', owner: 'Courier', method: 'post', side: 'after', counts: isGranted },
  { point: 'before-record', process: 'service', module: 'mysql/outcomes.js', owner: 'OutcomeTable', method: 'record', side: 'before' },
  { point: 'after-record', process: 'service', module: 'mysql/outcomes.js', owner: 'OutcomeTable', method: 'record', side: 'after' },
  { point: 'before-publish', process: 'service', module: 'pool/token-publisher.js', owner: 'TokenPublisher', method: 'publish', side: 'before', counts: isReady },
  { point: 'after-publish', process: 'service', module: 'pool/token-publisher.js', owner: 'TokenPublisher', method: 'publish', side: 'after', counts: isReady },
  { point: 'before-schedule', process: 'service', module: 'pool/scheduler.js', owner: 'Scheduler', method: 'schedule', side: 'before' },
  { point: 'after-schedule', process: 'service', module: 'pool/scheduler.js', owner: 'Scheduler', method: 'schedule', side: 'after' },
  { point: 'before-forget', process: 'service', module: 'redis/pending.js', owner: 'PendingAnswers', method: 'forget', side: 'before' },
  { point: 'before-lease', process: 'service', module: 'redis/lease.js', owner: 'RedisLease', method: 'extend', side: 'before' },
  { point: 'before-term', process: 'service', module: 'mysql/terms.js', owner: 'TermTable', method: 'begin', side: 'before' },
  { point: 'after-term', process: 'service', module: 'mysql/terms.js', owner: 'TermTable', method: 'begin', side: 'after' },
] as const satisfies readonly Place[];

export type Point = (typeof places)[number]['point'];
