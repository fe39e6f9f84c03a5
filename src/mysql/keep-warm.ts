import { Repeating } from '../runtime/lifecycle.ts';
import type { Database } from './connection.ts';

/** Less than the shortest time after which a connection that idles is not used again, ms. */
const everyMs = 900;

/**
 * Keeps connections ready for whoever has seldom use for them and then cannot wait: a node that becomes master, and its courier.
 * @param isWanted asked each time
 */
export function keepWarm(db: Pick<Database, 'query'>, connections: number, isWanted: () => boolean): Repeating {
  const touchAll = async (signal: AbortSignal): Promise<void> => {
    if (isWanted()) await Promise.all(Array.from({ length: connections }, () => db.query({ label: 'connection.warm', sql: 'DO 0' }, signal)));
  };
  return new Repeating('warm connections', () => everyMs, touchAll, () => undefined);
}
