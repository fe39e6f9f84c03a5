import { events, statuses } from '../domain/event.ts';
import type { Owner } from '../domain/owner.ts';
import type { Token } from '../domain/token.ts';
import type { PoolChanges } from '../mysql/pool-changes.ts';
import { jobOf } from './refresh-subject.ts';

/** Valid rows that a newer one of the same slot stands before: inserted to replace them. */
export class ShadowedTokens {
  readonly #changes: Pick<PoolChanges, 'supersede'>;

  constructor(changes: Pick<PoolChanges, 'supersede'>) {
    this.#changes = changes;
  }

  /** Makes them invalid, but those whose answer is awaited, or that changed since they were read. @throws StoreUnavailable */
  async supersede(owner: Owner, rows: readonly Token[]): Promise<void> {
    for (const row of rows) {
      const text = `token ${row.version} was superseded by a newer token with the same client authentication`;
      await this.#changes.supersede(row, { job: jobOf(owner, row), event: events.invalidate, status: statuses.invalidated, text });
    }
  }
}
