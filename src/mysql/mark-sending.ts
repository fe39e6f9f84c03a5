import type { Session } from './connection.ts';

/** A claim by what it is known by. */
interface Held {
  readonly version: number;
  readonly attempt: string;
}

/**
 * That the refresh token of a row `t` was sent by an attempt before the present one, in terms of its fingerprint's row `s`:
 * its time is that of the first sending, and each later attempt is set after it.
 */
export const sentBefore = 's.createdtime < t.statesince';

/** The last step before the request may leave. @returns false where the claim is no longer held */
export async function markSending(session: Session, claim: Held): Promise<boolean> {
  const first = "t.state = 'sending', t.statesince = NOW(3), s.createdtime = NOW(3), t.uc = COALESCE(t.uc, 0) + 1";
  if (await mark(session, claim, first, "t.state = 'claimed'")) return true;
  const again = "t.state = 'sending', t.statesince = GREATEST(NOW(3), s.createdtime + INTERVAL 1000 MICROSECOND), t.uc = COALESCE(t.uc, 0) + 1";
  return mark(session, claim, again, `t.state = 'in_doubt' AND ${sentBefore}`);
}

async function mark(session: Session, claim: Held, set: string, from: string): Promise<boolean> {
  const sql = `UPDATE tsttoken t JOIN tstspent s ON s.attempt = t.attempt SET ${set} WHERE t.tokendid = ? AND t.attempt = ? AND ${from}`;
  const { affectedRows } = await session.execute({ label: 'claims.send', sql, params: [claim.version, claim.attempt] });
  return affectedRows > 0;
}
