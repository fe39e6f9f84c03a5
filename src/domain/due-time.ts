export interface DueTimeRules {
  /** `refreshWakeUpLeadTime`, ms before expiry at which a refresh starts at the latest. */
  readonly leadTimeMs: number;
  /** Share of the lifetime, 0 to 0.5, over which due times are spread; always earlier, never later. */
  readonly jitter: number;
}

/**
 * When the refresh of a token is due, epoch ms: `leadTimeMs` and the drain before it expires, earlier by the jitter.
 * A lifetime too short for the lead gives half of the lifetime, so that a refresh never starts the moment a token arrives.
 * @param random 0 (inclusive) to 1 (exclusive)
 */
export function dueTime(issuedAt: number, validityMs: number, drainMs: number, rules: DueTimeRules, random: number): number {
  const lead = Math.min(rules.leadTimeMs + drainMs, validityMs / 2);
  const spread = Math.min(rules.jitter * validityMs, validityMs - lead) * random;
  return Math.floor(issuedAt + validityMs - lead - spread);
}

/** When a refresh is due that has to begin once more, epoch ms: now, or when it was due first. */
export function dueAgain(planned: number | null, now: number): number {
  return Math.floor(Math.min(planned ?? now, now));
}
