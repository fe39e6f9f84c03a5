import type { Owner } from '../domain/owner.ts';
import type { Token } from '../domain/token.ts';
import type { Clock } from '../runtime/clock.ts';

interface Hold {
  readonly until: number;
  /** How often in a row the client was refused, attempts that were under way at the same time counted as one. */
  readonly refusals: number;
  /** The token that tries again for all of the client. */
  readonly prober?: number;
}

export interface Refusal {
  readonly count: number;
  /** Until when, epoch ms, the client was held before; undefined: it was not. */
  readonly heldUntil: number | undefined;
}

/** How long the others wait for the one that tries again, ms. */
const probeMs = 1000;

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

  /**
   * Until when, epoch ms, the token has to wait for its client; Infinity: until a pool of the client is restarted. undefined: it may be refreshed.
   * When a hold has run out, the first token that asks tries for all, and the others go on waiting.
   */
  admit(owner: Owner, token: Token): number | undefined {
    const key = keyOf(owner, token);
    const hold = this.#holds.get(key);
    if (!hold || hold.prober === token.version) return undefined;
    if (hold.until > this.#clock.now()) return hold.until;
    this.#holds.set(key, { ...hold, until: this.#clock.now() + probeMs, prober: token.version });
    return undefined;
  }

  /** Until when, epoch ms, the client is held; undefined: it is not, or is tried again now. */
  heldUntil(owner: Owner, token: Token): number | undefined {
    const hold = this.#holds.get(keyOf(owner, token));
    return hold && hold.prober === undefined && hold.until > this.#clock.now() ? hold.until : undefined;
  }

  /** Counts a refusal of the token's client. */
  refused(owner: Owner, token: Token): Refusal {
    const heldUntil = this.heldUntil(owner, token);
    const { refusals } = this.#holds.get(keyOf(owner, token)) ?? { refusals: 0 };
    const count = heldUntil === undefined ? refusals + 1 : refusals;
    this.#holds.set(keyOf(owner, token), { until: heldUntil ?? 0, refusals: count });
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
