import { Secret } from '../domain/secret.ts';
import type { KeyRing } from '../runtime/key-ring.ts';

/** A granted answer on its way into the system of record: all that is needed to record it, by attempt id. */
export interface KeptAnswer {
  readonly attempt: string;
  /** The row whose refresh token was presented. */
  readonly version: number;
  readonly ownerDid: number;
  /** When the request was handed over, epoch ms by the cluster's clock: the new token lives from then at the earliest. */
  readonly issuedAt: number;
  readonly accessToken: Secret;
  /** null: the one that was presented stays valid. */
  readonly refreshToken: Secret | null;
  /** ms; null where the answer gave no lifetime. */
  readonly validityMs: number | null;
}

/** The form for Redis; it can be read only as the answer to its own attempt. */
export function sealAnswer(answer: KeptAnswer, ring: KeyRing): string {
  if (!ring.seals) throw new TypeError('A key ring without a key cannot keep an answer');
  return ring.seal(writeAnswer(answer), `pending:${answer.attempt}`);
}

/** @throws Unsealable, SyntaxError */
export function unsealAnswer(attempt: string, sealed: string, ring: KeyRing): KeptAnswer {
  return readAnswer(ring.unseal(sealed, `pending:${attempt}`));
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
