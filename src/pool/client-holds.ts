import type { Owner } from '../domain/owner.ts';
import type { Token } from '../domain/token.ts';
import type { Clock } from '../runtime/clock.ts';

interface Hold {
  readonly until: number;
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

  hold(owner: Owner, token: Token, until: number): void {
    this.#holds.set(keyOf(owner, token), { until });
  }

  release(owner: Owner, token: Token): void {
    this.#holds.delete(keyOf(owner, token));
  }
}

function keyOf(owner: Owner, token: Token): string {
  return `${owner.tokenUrl} ${token.auth.reveal()}`;
}
