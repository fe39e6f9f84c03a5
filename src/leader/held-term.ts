import { trustedUntil, type Epoch } from '../domain/lease.ts';
import type { Term } from '../pool/term.ts';
import type { Clock } from '../runtime/clock.ts';

/** This node's time as master: trusted as long as its lease was renewed lately, over once it has ended. */
export class HeldTerm implements Term {
  readonly epoch: Epoch;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #abort = new AbortController();
  #trustedUntil: number;

  /** @param begunAt monotonic ms when the acquisition began */
  constructor(epoch: Epoch, begunAt: number, leaseMs: number, clock: Clock) {
    this.epoch = epoch;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#trustedUntil = trustedUntil(begunAt, leaseMs);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  isTrusted(): boolean {
    return !this.signal.aborted && this.#clock.monotonic() < this.#trustedUntil;
  }

  /** @param begunAt monotonic ms when the renewal began */
  renewed(begunAt: number): void {
    this.#trustedUntil = Math.max(this.#trustedUntil, trustedUntil(begunAt, this.#leaseMs));
  }

  end(): void {
    this.#abort.abort(new Error('the term has ended'));
  }
}
