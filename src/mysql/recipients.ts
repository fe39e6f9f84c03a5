import type { Session } from './connection.ts';

interface Row {
  did: number;
  address: string;
}

/** The addresses of the owner's mails (`tstemail`): trimmed, each once, none empty, in the order they were entered. */
export async function recipientsOf(session: Session, ownerDid: number, signal?: AbortSignal): Promise<string[]> {
  return (await recipientsOfAll(session, [ownerDid], signal)).get(ownerDid) ?? [];
}

/** The same of several owners, by the owner's number; one who has none is left out. */
export async function recipientsOfAll(session: Session, ownerDids: readonly number[], signal?: AbortSignal): Promise<Map<number, string[]>> {
  if (ownerDids.length === 0) return new Map();
  const sql = 'SELECT tsxwhodid AS did, tstmailaddr AS address FROM tstemail WHERE tsxwhodid IN (?) AND tstmailaddr IS NOT NULL ORDER BY idtstemail';
  const rows = await session.query<Row>({ label: 'recipients.of', sql, params: [[...ownerDids]] }, signal);
  const given = rows.map(({ did, address }) => ({ did, address: address.trim() })).filter(({ address }) => address !== '');
  return new Map([...Map.groupBy(given, ({ did }) => did)].map(([did, all]) => [did, [...new Set(all.map(({ address }) => address))]]));
}
