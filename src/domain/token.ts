import type { Secret } from './secret.ts';

export const tokenStates = ['idle', 'claimed', 'sending', 'in_doubt', 'stopped', 'dead'] as const;

/**
 * The state of a token row:
 *
 *     idle -> claimed -> sending -> (replaced by its child)
 *       ^        |          |-> idle      nothing left this machine, or the provider refused without using the token
 *       |--------|          |-> in_doubt  something left and no answer was read
 *     stopped: the retries are used up, a restart makes it idle     dead: the provider declared the grant invalid
 *
 * A claim moves on by compare-and-set on (row, attempt, state) only, never because time passed.
 */
export type TokenState = (typeof tokenStates)[number];

/** A row of `tsttoken` that is valid; its id is the version of its slot. */
export interface Token {
  readonly version: number;
  readonly ownerDid: number;
  /** Names the slot within the owner: a keyed hash of `tokenauth`, 16 hex digits. */
  readonly slot: string;
  /** base64 of `client_id:client_secret`. */
  readonly auth: Secret;
  readonly accessToken: Secret | null;
  readonly refreshToken: Secret | null;
  /** Epoch ms by the database's clock. */
  readonly issuedAt: number;
  readonly validityMs: number;
  readonly state: TokenState;
  /** Update count of the row: every change of state adds one. */
  readonly uc: number;
  readonly attempt: string | null;
  readonly attemptEpoch: number | null;
  readonly stateSince: number | null;
  readonly retryCount: number;
  /** Epoch ms of the next planned action; null where none was planned yet. */
  readonly dueAt: number | null;
}

const hundredYearsMs = 100 * 365 * 86_400_000;

/** A lifetime as somebody wrote it, ms, within bounds in which times can be reckoned with. */
export function boundedValidity(ms: number): number {
  return Math.min(Math.max(ms, 0), hundredYearsMs);
}

export function expiresAt(token: Pick<Token, 'issuedAt' | 'validityMs'>): number {
  return token.issuedAt + token.validityMs;
}

/**
 * A token as callers may get it. Its rank orders two views of one slot: the version first, then the update count; what was given back takes the place
 * of its withdrawal and of nothing else at that count.
 * None but that of what is gone is higher than the record has at that moment: what a store has lost is built again from the record.
 */
export interface LiveToken {
  readonly slot: string;
  readonly version: number;
  readonly uc: number;
  /**
   * `ready` is handed out; `withdrawn` is being drained; `given_back` is handed out again though the record does not know yet that its claim was
   * given back; `gone` must never be handed out again.
   */
  readonly phase: 'ready' | 'withdrawn' | 'given_back' | 'gone';
  readonly expiresAt: number;
  /** Empty where the phase is `gone`. */
  readonly accessToken: string;
}

/** What the withdrawal of a row that is gone adds to its update count: more than late news of the row. */
export const withdrawalStep = 1000;
/** What is added where such a row may be handed out again: more than its withdrawal had added. */
export const returnStep = 2 * withdrawalStep;

type Rank = Pick<LiveToken, 'version' | 'uc' | 'phase'>;

export function outranks(a: Rank, b: Rank): boolean {
  if (a.version !== b.version) return a.version > b.version;
  return a.uc === b.uc ? a.phase === 'given_back' && b.phase === 'withdrawn' : a.uc > b.uc;
}

/** A caller needs this long, in ms, to make use of what it was handed. */
export const handOutMarginMs = 50;

export function isUsable(token: LiveToken, now: number): boolean {
  return (token.phase === 'ready' || token.phase === 'given_back') && token.accessToken !== '' && token.expiresAt - handOutMarginMs > now;
}

/** The usable token that lives longest: callers hold what they get for a while. */
export function bestOf(tokens: Iterable<LiveToken>, now: number): LiveToken | undefined {
  let best: LiveToken | undefined;
  for (const token of tokens) {
    if (isUsable(token, now) && (best === undefined || token.expiresAt > best.expiresAt)) best = token;
  }
  return best;
}
