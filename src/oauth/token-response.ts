import type { Grant, TokenAnswer } from '../domain/refresh-outcome.ts';
import { Secret } from '../domain/secret.ts';
import { answerFields, type AnswerFields } from './answer-fields.ts';
import { failureOf, type Reply, type ReplyContext } from './failure.ts';

const tenYearsMs = 10 * 365 * 86_400_000;

/**
 * What the token endpoint said (RFC 6749 sections 5.1 and 5.2). A token that arrived is never refused for the company it came in:
 * a missing `token_type`, another content type, an odd lifetime.
 * @param sentToken the refresh token that was presented
 */
export function readTokenResponse(reply: Reply, sentToken: Secret, context: ReplyContext): TokenAnswer {
  const fields = answerFields(reply.body);
  const succeeded = reply.status >= 200 && reply.status < 300;
  if (succeeded && fields?.accessToken !== undefined) return { kind: 'granted', grant: grantOf(fields, fields.accessToken, sentToken) };
  return failureOf(reply, fields, context);
}

/** A refresh token that is given back as it was sent is the same as one left out: the provider does not rotate. */
function grantOf(fields: AnswerFields, accessToken: string, sentToken: Secret): Grant {
  const rotated = fields.refreshToken !== undefined && fields.refreshToken !== sentToken.reveal();
  return {
    accessToken: new Secret(accessToken),
    refreshToken: rotated ? new Secret(fields.refreshToken) : null,
    validityMs: validityOf(fields.expiresIn),
  };
}

/** `expires_in` in seconds as a number, as a text (PayPal, Azure) or with a fraction; null where it says nothing usable. */
function validityOf(expiresIn: unknown): number | null {
  const seconds = typeof expiresIn === 'string' && expiresIn.trim() !== '' ? Number(expiresIn) : expiresIn;
  if (typeof seconds !== 'number' || !(seconds > 0)) return null;
  return Math.min(Math.floor(seconds * 1000), tenYearsMs);
}
