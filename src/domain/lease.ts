/** The master's term number, kept in the system of record. It only ever grows. */
export type Epoch = number;

export interface LeaseTiming {
  /** Time to live of the lease, ms. */
  readonly leaseMs: number;
  /** Time between two renewals, ms. */
  readonly renewMs: number;
}

/**
 * Until when a holder may act on a lease whose successful acquisition or renewal *began* at `begunAt` (monotonic ms).
 * A third of the lease is left as a margin, so that a holder steps down before another can hold it,
 * even where the clocks of holder and store run at rates up to 1.5 apart.
 */
export function trustedUntil(begunAt: number, leaseMs: number): number {
  return begunAt + (leaseMs * 2) / 3;
}
