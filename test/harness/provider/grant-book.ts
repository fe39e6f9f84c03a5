import { createHash } from 'node:crypto';
import { Account } from './account.ts';
import type { PresentationOutcome } from './account.ts';
import { judge, unknownToken } from './judgement.ts';
import type { Judgement } from './judgement.ts';
import { readToken, writeToken } from './token-text.ts';

interface Grant {
  readonly index: number;
  readonly id: string;
  readonly clientId: string;
  readonly owner: string | null;
  revokedAt: number | null;
  sequence: number;
  access: AccessToken;
  refresh: RefreshToken;
}

interface AccessToken {
  readonly text: string;
  readonly grant: Grant;
  readonly expiresAt: number;
  revokedAt: number | null;
}

interface RefreshToken {
  readonly text: string;
  readonly id: string;
  readonly grant: Grant;
  presentations: number;
  spentAt: number | null;
  answer: IssuedTokens | null;
}

export interface IssuedTokens {
  readonly accessToken: string;
  /** Null: the answer leaves it out and the presented one stays good. */
  readonly refreshToken: string | null;
  readonly expiresIn: number;
}

export type Redemption = { readonly issued: IssuedTokens } | { readonly refused: string };

export interface GrantRules {
  readonly accessTokenSeconds: number;
  readonly rotate: boolean;
  readonly killsOldAccessToken: boolean;
  readonly graceMs: number;
  readonly tokenLength: number;
}

/** Rules that hold for one refresh only. */
export interface RefreshTwist {
  readonly keepRefreshToken?: boolean;
  readonly sameAccessToken?: boolean;
  readonly tokenLength?: number;
}

/**
 * The grants of a provider. A spent refresh token that comes back outside the grace window revokes the whole grant with
 * all its tokens (RFC 9700 section 4.14.2). Every change is synchronous, so of two simultaneous presentations one is the second.
 */
export class GrantBook {
  readonly account = new Account();
  readonly #rules: GrantRules;
  readonly #grants: Grant[] = [];
  readonly #access = new Map<string, AccessToken>();
  readonly #refresh = new Map<string, RefreshToken>();

  constructor(rules: GrantRules) {
    this.#rules = rules;
  }

  create(clientId: string, owner: string | null, now: number): { grantId: string; accessToken: string; refreshToken: string } {
    const index = this.#grants.length + 1;
    const grant = { index, id: `grant-${index}`, clientId, owner, revokedAt: null, sequence: 1 } as Grant;
    grant.refresh = this.#newRefreshToken(grant, this.#rules.tokenLength);
    grant.access = this.#newAccessToken(grant, this.#rules.tokenLength, now);
    this.#grants.push(grant);
    return { grantId: grant.id, accessToken: grant.access.text, refreshToken: grant.refresh.text };
  }

  /** The grant a refresh token belongs to, without presenting it. */
  grantOf(refreshToken: string): string | null {
    return this.#find(refreshToken)?.grant.id ?? null;
  }

  /** Records a presentation that is answered without looking at the token. */
  holdOff(refreshToken: string, outcome: 'held off' | 'client refused', now: number): void {
    this.#note(this.#find(refreshToken), refreshToken, outcome, now);
  }

  redeem(clientId: string, refreshToken: string, twist: RefreshTwist, now: number): Redemption {
    const token = this.#find(refreshToken);
    const outcome = this.#outcomeOf(token, clientId, now);
    this.#note(token, refreshToken, outcome, now);
    if (token === undefined) return { refused: 'no such refresh token' };
    if (outcome === 'refreshed') return { issued: this.#issue(token, twist, now) };
    if (outcome === 'repeated in grace' && token.answer) return { issued: token.answer };
    if (outcome === 'reuse') this.#revokeForReuse(token.grant, now);
    return { refused: outcome === 'reuse' ? 'refresh token already used' : 'refresh token is not valid' };
  }

  isLive(accessToken: string, at: number): Judgement {
    const token = this.#access.get(accessToken);
    if (token) return judge(token.grant.id, token.grant.owner, token.expiresAt, [token.revokedAt, token.grant.revokedAt], at);
    const grant = this.#grants[(readToken('at', accessToken)?.grantIndex ?? 0) - 1];
    return grant ? judge(grant.id, grant.owner, 0, [grant.revokedAt], at) : unknownToken;
  }

  newest(grantId: string): { accessToken: string; refreshToken: string; refreshTokenId: string } | null {
    const grant = this.#grant(grantId);
    return grant ? { accessToken: grant.access.text, refreshToken: grant.refresh.text, refreshTokenId: grant.refresh.id } : null;
  }

  revokeGrant(grantId: string, now: number): void {
    const grant = this.#grant(grantId);
    if (grant) grant.revokedAt ??= now;
  }

  revokeAccessToken(accessToken: string, now: number): void {
    const token = this.#access.get(accessToken);
    if (token) token.revokedAt ??= now;
  }

  /** Forgets access tokens that ended, and refresh tokens that were spent, before `before`; reuse of those is still detected. */
  prune(before: number): void {
    for (const [text, token] of this.#access) if (token.expiresAt < before && token !== token.grant.access) this.#access.delete(text);
    for (const [text, token] of this.#refresh) if (token.spentAt !== null && token.spentAt < before) this.#refresh.delete(text);
    this.account.prune(before);
  }

  #outcomeOf(token: RefreshToken | undefined, clientId: string, now: number): PresentationOutcome {
    if (!token) return 'unknown token';
    if (token.grant.clientId !== clientId) return 'other client';
    if (token.grant.revokedAt !== null) return token.spentAt === null ? 'revoked grant' : 'reuse';
    if (token.spentAt === null) return 'refreshed';
    return token.answer && now - token.spentAt < this.#rules.graceMs ? 'repeated in grace' : 'reuse';
  }

  #issue(token: RefreshToken, twist: RefreshTwist, now: number): IssuedTokens {
    const { grant } = token;
    const length = twist.tokenLength ?? this.#rules.tokenLength;
    grant.sequence++;
    if (!twist.sameAccessToken) {
      if (this.#rules.killsOldAccessToken) grant.access.revokedAt ??= now;
      grant.access = this.#newAccessToken(grant, length, now);
    }
    const rotates = this.#rules.rotate && !twist.keepRefreshToken;
    if (rotates) {
      token.spentAt = now;
      grant.refresh = this.#newRefreshToken(grant, length);
    }
    const expiresIn = Math.floor((grant.access.expiresAt - now) / 1000);
    token.answer = { accessToken: grant.access.text, refreshToken: rotates ? grant.refresh.text : null, expiresIn };
    return token.answer;
  }

  #revokeForReuse(grant: Grant, now: number): void {
    if (grant.revokedAt !== null) return;
    grant.revokedAt = now;
    this.account.grantsRevoked++;
  }

  #newAccessToken(grant: Grant, length: number, now: number): AccessToken {
    const text = writeToken('at', { grantIndex: grant.index, sequence: grant.sequence }, length);
    const token = { text, grant, expiresAt: now + this.#rules.accessTokenSeconds * 1000, revokedAt: null };
    this.#access.set(text, token);
    this.account.issued++;
    return token;
  }

  #newRefreshToken(grant: Grant, length: number): RefreshToken {
    const text = writeToken('rt', { grantIndex: grant.index, sequence: grant.sequence }, length);
    const token = { text, id: `${grant.id}#${grant.sequence}`, grant, presentations: 0, spentAt: null, answer: null };
    this.#refresh.set(text, token);
    return token;
  }

  /** A refresh token that has been pruned comes back as one that was spent long ago. */
  #find(refreshToken: string): RefreshToken | undefined {
    const known = this.#refresh.get(refreshToken);
    if (known) return known;
    const place = readToken('rt', refreshToken);
    const grant = this.#grants[(place?.grantIndex ?? 0) - 1];
    if (!place || !grant || place.sequence >= grant.sequence) return undefined;
    return { text: refreshToken, id: `${grant.id}#${place.sequence}`, grant, presentations: 1, spentAt: 0, answer: null };
  }

  #note(token: RefreshToken | undefined, refreshToken: string, outcome: PresentationOutcome, at: number): void {
    const id = token?.id ?? `unknown ${createHash('sha256').update(refreshToken).digest('hex').slice(0, 8)}`;
    this.account.add({ refreshToken: id, grantId: token?.grant.id ?? null, at, outcome }, token?.presentations ?? 0);
    if (token) token.presentations++;
  }

  #grant(grantId: string): Grant | undefined {
    return this.#grants[Number(grantId.slice('grant-'.length)) - 1];
  }
}
