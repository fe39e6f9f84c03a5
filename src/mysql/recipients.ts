import type { Session } from './connection.ts';

/** The addresses of the owner's mails (`tstemail`): trimmed, each once, none empty, in the order they were entered. */
export async function recipientsOf(session: Session, ownerDid: number, signal?: AbortSignal): Promise<string[]> {
  const sql = 'SELECT tstmailaddr AS address FROM tstemail WHERE tsxwhodid = ? AND tstmailaddr IS NOT NULL ORDER BY idtstemail';
  const rows = await session.query<{ address: string }>({ label: 'recipients.of', sql, params: [ownerDid] }, signal);
  const addresses = rows.map((row) => row.address.trim()).filter((address) => address !== '');
  return [...new Set(addresses)];
}
