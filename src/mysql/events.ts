import type { HistoryEvent } from '../domain/event.ts';
import type { Session, Statement } from './connection.ts';

/** Adds to the history (`tstevent`); what is too long for its column is cut. */
export async function appendEvents(session: Session, events: readonly HistoryEvent[]): Promise<void> {
  if (events.length > 0) await session.execute(eventsStatement(events));
}

/** The same as a statement. @param events at least one */
export function eventsStatement(events: readonly HistoryEvent[]): Statement {
  const sql = `INSERT INTO tstevent (jobname, event, status, text) VALUES ${events.map(() => '(?, ?, ?, ?)').join(', ')}`;
  const params = events.flatMap(({ job, event, status, text }) => [cut(job, 200), event, status, cut(text, 400)]);
  return { label: 'events.append', sql, params };
}

/** By code points, as the database counts: half a character would be refused. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : Array.from(text).slice(0, length).join('');
}
