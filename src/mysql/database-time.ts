import type { Session } from './connection.ts';

/** Epoch ms by the clock of the database, to the millisecond. */
export async function readDatabaseTime(session: Session, signal?: AbortSignal): Promise<number> {
  const sql = 'SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) AS ms';
  const [row] = await session.query<{ ms: number }>({ label: 'time.read', sql }, signal);
  if (!row) throw new Error('time.read: no row');
  return row.ms;
}
