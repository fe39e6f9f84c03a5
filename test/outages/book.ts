import type { Provider } from '../harness/provider/provider.ts';
import type { Stage } from './stage.ts';

/** An access token by its provider's book; times in epoch ms. */
export interface BookedToken {
  /** What makes it one and the same wherever it is met. */
  readonly key: string;
  readonly owner: string;
  readonly lasts: boolean;
  readonly expiresAt: number;
  /** When its successor was issued; Infinity where there is none yet. */
  readonly succeededAt: number;
}

/** No provider issues two tokens of a grant that end at once. */
export function keyIn(provider: Provider, grantId: string | null, expiresAt: number): string {
  return `${provider.tokenUrl} ${grantId} ${expiresAt}`;
}

/** Every access token that was ever issued to the owners, as their providers know them. */
export function tokensInBooks({ owners, brief, lasting }: Stage): BookedToken[] {
  const [briefTimes, lastingTimes] = [refreshTimes(brief), refreshTimes(lasting)];
  return owners.flatMap(({ id, lasts, grants }) => grants.flatMap(({ grantId, accessToken }) => {
    const provider = lasts ? lasting : brief;
    const times = (lasts ? lastingTimes : briefTimes).get(grantId) ?? [];
    const ends = [provider.isLive(accessToken).expiresAt, ...times.map((at) => at + provider.accessTokenSeconds * 1000)];
    return ends.map((expiresAt, index) => ({ key: keyIn(provider, grantId, expiresAt), owner: id, lasts, expiresAt, succeededAt: times[index] ?? Infinity }));
  }));
}

/** When each grant was refreshed, in order. */
function refreshTimes({ account }: Provider): Map<string | null, number[]> {
  const refreshed = Map.groupBy(account.presentations.filter(({ outcome }) => outcome === 'refreshed'), ({ grantId }) => grantId);
  return new Map([...refreshed].map(([grantId, all]) => [grantId, all.map(({ at }) => at)]));
}

/** Those that expired in this time before they were refreshed. */
export function expiredUnrefreshed(tokens: readonly BookedToken[], from: number, until: number): BookedToken[] {
  return tokens.filter(({ expiresAt, succeededAt }) => expiresAt >= from && expiresAt < until && succeededAt > expiresAt);
}
