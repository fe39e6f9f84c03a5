import { CommitUnknown, StoreUnavailable } from '../domain/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';

const firstPauseMs = 50;
const longestPauseMs = 1000;

/** For a write that the next round repeats: this one must end, with its term, and hold up nothing that comes after it. */
export const once = AbortSignal.abort();

/** Repeats a write that may be repeated until the store takes it; other errors end it. A signal ends the repeating, not the write. */
export async function untilStored<T>(write: () => Promise<T>, clock: Clock, logger: Logger, signal?: AbortSignal): Promise<T> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || signal?.aborted) throw error;
      logger.debug({ store: error.store, pauseMs }, 'A write is repeated');
    }
    await clock.sleep(pauseMs, signal);
  }
}

/** The same for a write that says whether anything was left for it to do. One whose commit was in doubt counts as having done it. */
export async function untilDone(write: () => Promise<boolean>, clock: Clock, logger: Logger, signal?: AbortSignal): Promise<boolean> {
  let mayBeDone = false;
  const attempted = (): Promise<boolean> => write().catch((error: unknown) => {
    mayBeDone ||= error instanceof CommitUnknown;
    throw error;
  });
  const done = await untilStored(attempted, clock, logger, signal);
  return done || mayBeDone;
}
