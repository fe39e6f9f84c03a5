import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/** The valid tokens of an owner; an owner without one belongs to the list too. */
export interface OwnerTokens {
  readonly ownerId: string;
  /** Epoch ms at which each valid token expires. */
  readonly expiries: readonly number[];
}

/** What this node knows of the pool; `now` in epoch ms by the cluster's clock. */
export type TokenSource = () => { readonly now: number; readonly owners: Iterable<OwnerTokens> };

const others = '_other';

interface Sums {
  valid: number;
  /** Epoch ms; of several owners, the first to run dry. */
  lastExpiry: number;
}

/**
 * Gauges of the pool, made at the time of each scrape from what the source lists. The first `maxLabels` owners keep a label of their own
 * for as long as they are listed; the rest are summed up as `_other`, so that many owners do not make many series.
 */
export class TokenGauges {
  readonly #maxLabels: number;
  readonly #labelled = new Set<string>();
  readonly #gauges: ReturnType<typeof gaugesIn>;
  #source: TokenSource = () => ({ now: 0, owners: [] });

  constructor(registry: Registry, maxLabels: number) {
    this.#maxLabels = maxLabels;
    this.#gauges = gaugesIn(registry);
  }

  readFrom(source: TokenSource): void {
    this.#source = source;
  }

  collect(): void {
    const { now, owners } = this.#source();
    const listed = [...owners];
    const { valid, ownerExpiry, nextExpiry, without } = this.#gauges;
    valid.reset();
    ownerExpiry.reset();
    for (const [owner, sums] of this.#byLabel(listed)) {
      valid.set({ owner }, sums.valid);
      ownerExpiry.set({ owner }, secondsUntil(sums.lastExpiry, now));
    }
    without.set(listed.filter(({ expiries }) => expiries.length === 0).length);
    const next = listed.reduce((least, { expiries }) => Math.min(least, ...expiries), Infinity);
    if (next === Infinity) nextExpiry.remove();
    else nextExpiry.set(secondsUntil(next, now));
  }

  #byLabel(listed: readonly OwnerTokens[]): Map<string, Sums> {
    this.#chooseLabels(listed);
    const byLabel = new Map<string, Sums>();
    for (const { ownerId, expiries } of listed) {
      const label = this.#labelled.has(ownerId) ? ownerId : others;
      const sums = byLabel.get(label) ?? { valid: 0, lastExpiry: Infinity };
      sums.valid += expiries.length;
      sums.lastExpiry = Math.min(sums.lastExpiry, Math.max(0, ...expiries));
      byLabel.set(label, sums);
    }
    return byLabel;
  }

  #chooseLabels(listed: readonly OwnerTokens[]): void {
    const present = new Set(listed.map(({ ownerId }) => ownerId));
    for (const ownerId of this.#labelled) if (!present.has(ownerId)) this.#labelled.delete(ownerId);
    for (const ownerId of present) {
      if (this.#labelled.size >= this.#maxLabels) return;
      this.#labelled.add(ownerId);
    }
  }
}

function secondsUntil(expiry: number, now: number): number {
  return Math.max(0, (expiry - now) / 1000);
}

function gaugesIn(registry: Registry) {
  const registers = [registry];
  const labelNames = ['owner'] as const;
  return {
    valid: new Gauge({ name: 'tokenpool_valid_tokens', help: 'Valid tokens of the owner.', labelNames, registers }),
    ownerExpiry: new Gauge({
      name: 'tokenpool_owner_expiry_seconds',
      help: 'Time until the last valid token of the owner expires; 0 where it has none.',
      labelNames,
      registers,
    }),
    nextExpiry: new Gauge({ name: 'tokenpool_next_expiry_seconds', help: 'Time until the first of all valid tokens expires.', registers }),
    without: new Gauge({ name: 'tokenpool_owners_without_token', help: 'Owners that have no valid token.', registers }),
  };
}
