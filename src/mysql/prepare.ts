import { setTimeout as delay } from 'node:timers/promises';

import { StoreUnavailable } from '../domain/errors.ts';
import type { Logger } from '../runtime/log.ts';
import type { Database } from './connection.ts';
import { checkSchema } from './schema.ts';

const pauseMs = 500;

/**
 * Waits until the database answers, then checks that its schema is ours.
 * @param patienceMs how long to wait for a database that does not answer
 * @param writing whether this node will ever refresh; a follower may have a user that only reads
 * @throws StoreUnavailable after that time; SchemaOutdated with the name of the script to run
 */
export async function prepareDatabase(db: Database, patienceMs: number, logger: Logger, writing = true): Promise<void> {
  const until = performance.now() + patienceMs;
  for (let said = false; ; said = true) {
    try {
      return await checkSchema(db, writing);
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || performance.now() > until) throw error;
      if (!said) logger.warn({ reason: String(error.cause) }, `The database does not answer; trying for ${Math.ceil(patienceMs / 1000)} s`);
    }
    await delay(pauseMs);
  }
}
