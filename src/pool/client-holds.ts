import type { Owner } from '../domain/owner.ts';
import type { Token } from '../domain/token.ts';
import type { Clock } from '../runtime/clock.ts';

interface Hold {
  readonly until: number;
  /** How often in a row the client was refused, attempts that were under way at the same time counted as one. */
  readonly refusals: number;
}

export interface Refusal {
  readonly count: number;
  /** Until when, epoch ms, the client was held before; undefined: it was not. */
  readonly heldUntil: number | undefined;
}

/**
 * Clients whose credentials a provider refuses. All tokens of such a client wait while one of them tries again,
 * so that one wrong secret means one request and one mail at a time, not one for each owner.
 */
export class ClientHolds {
  readonly #clock: Clock;
  readonly #holds = new Map<string, Hold>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Until when, epoch ms, the token's client is held; Infinity: until a pool of the client is restarted. undefined: not held. */
  heldUntil(owner: Owner, token: Token): number | undefined {
    const hold = this.#holds.get(keyOf(owner, token));
    return hold && hold.until > this.#clock.now() ? hold.until : undefined;
  }

  /** Counts a refusal of the token's client. */
  refused(owner: Owner, token: Token): Refusal {
    const heldUntil = this.heldUntil(owner, token);
    const { until, refusals } = this.#holds.get(keyOf(owner, token)) ?? { until: 0, refusals: 0 };
    const count = heldUntil === undefined ? refusals + 1 : refusals;
    this.#holds.set(keyOf(owner, token), { until, refusals: count });
    return { count, heldUntil };
  }

  /** Holds the client, never for less than it is held already. */
  hold(owner: Owner, token: Token, until: number): void {
    const { until: before, refusals } = this.#holds.get(keyOf(owner, token)) ?? { until, refusals: 0 };
    this.#holds.set(keyOf(owner, token), { until: Math.max(until, before), refusals });
  }

  release(owner: Owner, token: Token): void {
    this.#holds.delete(keyOf(owner, token));
  }

  /** At the beginning of a term: what another master learnt and released meanwhile is not known here. */
  forgetAll(): void {
    this.#holds.clear();
  }
}

function keyOf(owner: Owner, token: Token): string {
  return `${owner.tokenUrl} ${token.auth.reveal()}`;
}
