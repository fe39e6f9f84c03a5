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
 * for as long as they are listed, and the next scrape may give it to another; the rest are summed up as `_other`, so that many owners
 * do not make many series.
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
    const { valid, ownerExpiry, nextExpiry, without } = this.#gauges;
    const { byLabel, next, empty } = this.#sumUp(owners);
    valid.reset();
    ownerExpiry.reset();
    for (const [owner, sums] of byLabel) {
      valid.set({ owner }, sums.valid);
      ownerExpiry.set({ owner }, secondsUntil(sums.lastExpiry, now));
    }
    without.set(empty);
    if (next === Infinity) nextExpiry.remove();
    else nextExpiry.set(secondsUntil(next, now));
  }

  /** One pass, since it holds up everything else: the list may have a hundred thousand owners. */
  #sumUp(owners: Iterable<OwnerTokens>): { byLabel: Map<string, Sums>; next: number; empty: number } {
    const byLabel = new Map<string, Sums>();
    let next = Infinity;
    let empty = 0;
    for (const { ownerId, expiries } of owners) {
      let last = 0;
      for (const expiry of expiries) {
        if (expiry < next) next = expiry;
        if (expiry > last) last = expiry;
      }
      if (last === 0) empty += 1;
      addTo(byLabel, this.#labelOf(ownerId), expiries.length, last);
    }
    for (const ownerId of this.#labelled) if (!byLabel.has(ownerId)) this.#labelled.delete(ownerId);
    return { byLabel, next, empty };
  }

  #labelOf(ownerId: string): string {
    if (this.#labelled.has(ownerId)) return ownerId;
    if (this.#labelled.size >= this.#maxLabels) return others;
    this.#labelled.add(ownerId);
    return ownerId;
  }
}

function addTo(byLabel: Map<string, Sums>, label: string, valid: number, lastExpiry: number): void {
  const sums = byLabel.get(label);
  if (sums === undefined) byLabel.set(label, { valid, lastExpiry });
  else {
    sums.valid += valid;
    if (lastExpiry < sums.lastExpiry) sums.lastExpiry = lastExpiry;
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
