import type { ReadsReport } from '../harness/readers.ts';
import { seconds, whole } from './report.ts';
import type { Row } from './report.ts';

export type DemoReads = Pick<ReadsReport, 'reads' | 'failed' | 'slowestMs' | 'p99Ms' | 'expired' | 'revoked' | 'wrongOwner' | 'unknown' | 'failures'>;

/** What was counted over the whole show. */
export interface Outcome {
  readonly reads: DemoReads;
  /** Reads that the balancer sent to a second node. */
  readonly resent: number;
  readonly refreshes: number;
  readonly refreshesByNewMaster: number;
  readonly presentedTwice: number;
  readonly grantsRevoked: number;
  readonly rowsInClear: number;
  readonly secretsInLogs: number;
  /** From the kill, ms. */
  readonly newMasterAfterMs: number;
  readonly firstRefreshAfterMs: number;
  /** For how long this process, which reads and counts, was itself held up at most. */
  readonly longestPauseMs: number;
}

/** A pause of this process, ms, from which on it is named as what may have made a read slow. */
const notablePauseMs = 100;

export function rowsOf(outcome: Outcome): Row[] {
  const { reads } = outcome;
  return [
    { label: 'reads served', value: whole(reads.reads - reads.failed), note: 'each token checked with the OAuth2 server' },
    { label: 'reads failed', value: whole(reads.failed), ...(reads.failed > 0 && { note: faultsOf(reads) }) },
    { label: 'slowest read', value: milliseconds(reads.slowestMs), note: `99 % within ${milliseconds(reads.p99Ms)}${pause(outcome)}` },
    { label: 'reads sent to a second node', value: whole(outcome.resent), note: 'by the balancer, when the first was killed' },
    { label: 'kill to new master', value: seconds(outcome.newMasterAfterMs) },
    { label: 'kill to its first refresh', value: seconds(outcome.firstRefreshAfterMs) },
    { label: 'refreshes', value: whole(outcome.refreshes), note: `${whole(outcome.refreshesByNewMaster)} of them by the new master` },
    { label: 'refresh tokens presented twice', value: whole(outcome.presentedTwice), note: 'says the OAuth2 server' },
    { label: 'grants revoked', value: whole(outcome.grantsRevoked), note: 'says the OAuth2 server' },
    { label: 'token rows in the clear in MySQL', value: whole(outcome.rowsInClear) },
    { label: "secrets in the nodes' logs", value: whole(outcome.secretsInLogs) },
  ];
}

/** In words; none when all were kept. */
export function brokenPromises({ reads, ...outcome }: Outcome): string[] {
  const promises: [kept: boolean, broken: string][] = [
    [reads.failed === 0, `${reads.failed} of ${reads.reads} reads failed`],
    [reads.reads > 0, 'nothing was read'],
    [outcome.refreshesByNewMaster > 0, 'the new master refreshed nothing'],
    [outcome.presentedTwice === 0, `${outcome.presentedTwice} refresh tokens were presented twice`],
    [outcome.grantsRevoked === 0, `${outcome.grantsRevoked} grants were revoked`],
    [outcome.rowsInClear === 0, `${outcome.rowsInClear} token rows stand in the clear in MySQL`],
    [outcome.secretsInLogs === 0, `${outcome.secretsInLogs} secrets stand in the logs of the nodes`],
  ];
  return promises.filter(([kept]) => !kept).map(([, broken]) => broken);
}

/** The first failed reads, a line each; tokens only by their fingerprints. */
export function failedReads({ failures }: DemoReads): string[] {
  return failures.slice(0, 5).map(({ at, url, status, why, tookMs, token }) => `${at} ${new URL(url).pathname}: ${status ?? 'no answer'}, ${why}, after ${milliseconds(tookMs)}${token ? `, token ${token}` : ''}`);
}

function pause({ longestPauseMs }: Outcome): string {
  return longestPauseMs < notablePauseMs ? '' : `; busy machine: this demo itself paused ${milliseconds(longestPauseMs)}`;
}

function faultsOf({ expired, revoked, wrongOwner, unknown }: DemoReads): string {
  const faults = Object.entries({ expired, revoked, 'wrong owner': wrongOwner, unknown }).filter(([, times]) => times > 0);
  return faults.map(([fault, times]) => `${fault} ${times}`).join(', ');
}

function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : whole(ms)} ms`;
}
