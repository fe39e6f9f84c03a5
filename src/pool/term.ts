import type { Epoch } from '../domain/lease.ts';

/** A node's time as master. */
export interface Term {
  readonly epoch: Epoch;
  /** Whether the lease may still be relied on; asked before every claim. */
  isTrusted(): boolean;
  /** Aborted when the term ends. It ends waits and plans, never a request that is under way. */
  readonly signal: AbortSignal;
}
