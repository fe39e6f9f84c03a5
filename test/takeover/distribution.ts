import type { Row } from '../demo/report.ts';
import type { End, Takeover } from './round.ts';

/** Of ends of one kind, ms. */
export interface Distribution {
  readonly end: End;
  readonly aimMs: number;
  readonly takeovers: readonly Takeover[];
}

const shares = [['least', 0], ['half within', 0.5], ['nine in ten within', 0.9], ['longest', 1]] as const;
const wantedShare = 0.9;

/** The smallest value that this share (0 to 1) of them does not exceed; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

export function rowsOf({ end, aimMs, takeovers }: Distribution): Row[] {
  const refreshed = takeovers.map(({ refreshedMs }) => refreshedMs);
  const led = takeovers.map(({ ledMs }) => ledMs);
  const within = refreshed.filter((ms) => ms <= aimMs).length;
  return [
    ...shares.map(([label, share]) => ({ label, value: inSeconds(quantile(refreshed, share)), note: `${inSeconds(quantile(led, share))} to the new master` })),
    { label: `within the aim of ${inSeconds(aimMs)}`, value: `${within} of ${takeovers.length}`, note: end === 'kill' ? 'the lease and half a second' : 'the lease is handed over' },
  ];
}

export function markdownOf(distributions: readonly Distribution[]): string {
  const rows = distributions.map(({ end, aimMs, takeovers }) => {
    const refreshed = takeovers.map(({ refreshedMs }) => refreshedMs);
    return [end === 'kill' ? 'killed (SIGKILL)' : 'stopped in order (SIGTERM)', String(takeovers.length), ...shares.map(([, share]) => inSeconds(quantile(refreshed, share))), `${refreshed.filter((ms) => ms <= aimMs).length} within ${inSeconds(aimMs)}`];
  });
  const table = [['The master was', 'times', ...shares.map(([label]) => label), 'aim'], ['---', ...shares.map(() => '--:'), '--:', '--:'], ...rows];
  return table.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Of none nothing is shown. */
export function isWithinAim({ aimMs, takeovers }: Distribution): boolean {
  return quantile(takeovers.map(({ refreshedMs }) => refreshedMs), wantedShare) <= aimMs;
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
