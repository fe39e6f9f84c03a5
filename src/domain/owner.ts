export const refreshModes = ['auto', 'overlap', 'drain'] as const;
/** What callers get while a token is being replaced: see `withdrawsDuringRefresh`. */
export type RefreshMode = (typeof refreshModes)[number];

export const providerPolicies = ['reuse_detect', 'grace', 'non_rotating'] as const;
/** How the provider treats a refresh token that it has seen before (RFC 9700 section 4.14.2). */
export type ProviderPolicy = (typeof providerPolicies)[number];

/** An owner (`tsxwho`): an operator, a gateway or an API whose tokens are kept. */
export interface Owner {
  readonly did: number;
  /** Trimmed; compared exactly. */
  readonly id: string;
  readonly tokenUrl: string;
  /** How long, in ms, a token that was handed out counts as in use; 0 where the row lacks it. */
  readonly resetTimeMs: number;
  readonly retryMax: number;
  readonly retryDelayMs: number;
  readonly refreshMode: RefreshMode;
  readonly providerPolicy: ProviderPolicy;
  /** For the policy `grace`: how long after a request the same refresh token may be asked again, in ms. */
  readonly graceMs: number;
}

/** Whether the token leaves the pool before its refresh; `others` tells that another token of the owner can be handed out meanwhile. */
export function withdrawsDuringRefresh(owner: Owner, others: boolean): boolean {
  return others && owner.refreshMode !== 'overlap';
}
