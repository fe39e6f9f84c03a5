import { randomBytes } from 'node:crypto';

/**
 * Tokens name their grant and their place in it, so that one that has been pruned from memory is still recognised
 * when it comes back: `rt_3_7_...` is the seventh refresh token of the third grant.
 */
export interface TokenPlace {
  readonly grantIndex: number;
  readonly sequence: number;
}

const padding = randomBytes(96 * 1024).toString('base64url');

/** A token of exactly `length` characters (at least 48) with 144 random bits. */
export function writeToken(kind: 'at' | 'rt', place: TokenPlace, length: number): string {
  const start = `${kind}_${place.grantIndex}_${place.sequence}_${randomBytes(18).toString('base64url')}`;
  return start.length >= length ? start : start + padding.slice(0, length - start.length);
}

export function readToken(kind: 'at' | 'rt', token: string): TokenPlace | null {
  const match = /^(at|rt)_(\d{1,9})_(\d{1,9})_/.exec(token);
  return match?.[1] === kind ? { grantIndex: Number(match[2]), sequence: Number(match[3]) } : null;
}
