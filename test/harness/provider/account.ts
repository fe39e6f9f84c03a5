import type { Behaviour } from './behaviour.ts';

/** What became of one presentation of a refresh token. */
export type PresentationOutcome =
  | 'refreshed'
  | 'repeated in grace'
  | 'reuse'
  | 'revoked grant'
  | 'unknown token'
  | 'other client'
  | 'client refused'
  | 'held off';

export interface Presentation {
  /** `grant-3#7` is the seventh refresh token of the third grant; never the token. */
  readonly refreshToken: string;
  readonly grantId: string | null;
  readonly at: number;
  readonly outcome: PresentationOutcome;
  /** How the provider had been told to go wrong with it. */
  behaviour?: Behaviour['kind'];
  /** When an answer that says what became of it had been handed to the connection whole, epoch ms; absent where none was. */
  answeredAt?: number;
}

/** An end without a `comeBack` yet is Infinity; epoch ms. */
export interface Outage {
  readonly from: number;
  until: number;
}

const remarkable: ReadonlySet<PresentationOutcome> = new Set(['reuse', 'repeated in grace', 'unknown token', 'revoked grant', 'other client']);

/** The provider's own account of what it saw: the judge of the system tests. */
export class Account {
  /** In order of arrival. `held off` means answered, on command, without looking at the token. */
  readonly presentations: Presentation[] = [];
  /** Refreshes committed, whether or not the answer arrived. */
  refreshes = 0;
  /** Access tokens issued, first ones included. */
  issued = 0;
  /** Presentations of a refresh token that had been spent before, within a grace window or not. */
  presentedTwice = 0;
  /** Presentations of a refresh token that had been presented before, even where it had been held off. */
  presentedAgain = 0;
  /** Grants revoked because a spent refresh token came back. */
  grantsRevoked = 0;
  /** Requests whose client authentication was wrong. */
  clientFailures = 0;
  /** When the provider was down, and all connections were cut. */
  readonly outages: Outage[] = [];

  add(presentation: Presentation, earlierPresentations: number): void {
    this.presentations.push(presentation);
    if (earlierPresentations > 0) this.presentedAgain++;
    if (presentation.outcome === 'refreshed') this.refreshes++;
    if (presentation.outcome === 'reuse' || presentation.outcome === 'repeated in grace') this.presentedTwice++;
  }

  /** How many presentations ended this way, as far as they have not been pruned. */
  count(outcome: PresentationOutcome): number {
    return this.presentations.filter((presentation) => presentation.outcome === outcome).length;
  }

  /** Forgets ordinary presentations before `before`; the counters and the remarkable ones stay. */
  prune(before: number): void {
    const kept = this.presentations.filter(({ at, outcome }) => at >= before || remarkable.has(outcome));
    this.presentations.length = 0;
    for (const presentation of kept) this.presentations.push(presentation);
  }
}
