import type { Grant, UnusedEnd } from '../domain/refresh-outcome.ts';
import { Secret } from '../domain/secret.ts';
import type { KeyRing } from '../runtime/key-ring.ts';

/** Which attempt it is, of which row, and since when it is under way. */
export interface Attempt {
  readonly attempt: string;
  /** The row whose refresh token was presented. */
  readonly version: number;
  readonly ownerDid: number;
  /** When the request was handed over, epoch ms by the cluster's clock: a new token lives from then at the earliest. */
  readonly issuedAt: number;
}

/** A granted answer on its way into the system of record: all that is needed to record it. */
export interface KeptAnswer extends Attempt, Grant {}

/** Word that an attempt has ended and did not use the refresh token, on the same way: without it the token would be in doubt. */
export interface KeptEnd extends Attempt {
  readonly end: UnusedEnd;
}

/** What is pending in Redis, by attempt, until the system of record has it. */
export type Pending = KeptAnswer | KeptEnd;

export function isAnswer(pending: Pending): pending is KeptAnswer {
  return 'accessToken' in pending;
}

/** The form for Redis; it can be read only as the end of its own attempt. */
export function sealPending(pending: Pending, ring: KeyRing): string {
  if (!ring.seals) throw new TypeError('A key ring without a key cannot keep an answer');
  return ring.seal(isAnswer(pending) ? writeAnswer(pending) : JSON.stringify(pending), placeOf(pending.attempt));
}

/** @throws Unsealable, SyntaxError */
export function unsealPending(attempt: string, sealed: string, ring: KeyRing): Pending {
  const text = ring.unseal(sealed, placeOf(attempt));
  return 'end' in (JSON.parse(text) as object) ? (JSON.parse(text) as KeptEnd) : readAnswer(text);
}

/** In the clear: to be sealed by the one who keeps it. */
export function writeAnswer(answer: KeptAnswer): string {
  return JSON.stringify({ ...answer, accessToken: answer.accessToken.reveal(), refreshToken: answer.refreshToken?.reveal() ?? null });
}

/** @throws SyntaxError */
export function readAnswer(text: string): KeptAnswer {
  const answer = JSON.parse(text) as Omit<KeptAnswer, 'accessToken' | 'refreshToken'> & { accessToken: string; refreshToken: string | null };
  const refreshToken = answer.refreshToken === null ? null : new Secret(answer.refreshToken);
  return { ...answer, accessToken: new Secret(answer.accessToken), refreshToken };
}

function placeOf(attempt: string): string {
  return `pending:${attempt}`;
}
