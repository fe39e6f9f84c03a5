/** What a provider itself knows about one access token; all times are wall-clock milliseconds. */
export interface Judgement {
  /** False: this provider never issued the token. */
  readonly known: boolean;
  readonly grantId: string | null;
  /** The owner the grant was made for, when `createGrant` was told. */
  readonly owner: string | null;
  readonly expiresAt: number;
  /** When the token, or its whole grant, was revoked. */
  readonly revokedAt: number | null;
  readonly expired: boolean;
  readonly revoked: boolean;
}

/** Judges an access token as it was at the moment `at` (default now), in constant time. */
export type TokenJudge = (accessToken: string, at?: number) => Judgement;

/** A user's consent, made without a browser, and all that a row of `tsttoken` needs to refresh it. */
export interface IssuedGrant {
  readonly grantId: string;
  readonly clientId: string;
  /** base64 of `client_id:client_secret`, as in `tsttoken.tokenauth`. */
  readonly tokenAuth: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresInMs: number;
  readonly tokenUrl: string;
}

export const unknownToken: Judgement = {
  known: false,
  grantId: null,
  owner: null,
  expiresAt: 0,
  revokedAt: null,
  expired: false,
  revoked: false,
};

/** Judges from the token's own end, its revocation and that of its grant. */
export function judge(grantId: string, owner: string | null, expiresAt: number, revocations: readonly (number | null)[], at: number): Judgement {
  const known = revocations.filter((moment) => moment !== null);
  const revokedAt = known.length === 0 ? null : Math.min(...known);
  return { known: true, grantId, owner, expiresAt, revokedAt, expired: at >= expiresAt, revoked: revokedAt !== null && at >= revokedAt };
}
