import { withdrawalStep, type LiveToken } from '../domain/token.ts';
import type { Database } from '../mysql/connection.ts';
import type { OwnerTable } from '../mysql/owners.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import type { LivePool } from '../redis/live-pool.ts';
import type { TokenPublisher } from './token-publisher.ts';

export interface StrayParts {
  readonly db: Database;
  readonly owners: OwnerTable;
  readonly tokens: TokenTable;
  readonly livePool: LivePool;
  readonly publisher: TokenPublisher;
}

/** Tokens that callers get although the record holds them no more: their row, or their owner, was made invalid. */
export class StrayTokens {
  readonly #parts: StrayParts;

  constructor(parts: StrayParts) {
    this.#parts = parts;
  }

  /** @returns how many tokens of the owner were withdrawn @throws StoreUnavailable */
  async withdraw(ownerId: string): Promise<number> {
    const { db, owners, tokens, livePool, publisher } = this.#parts;
    const live = (await livePool.tokensOf(ownerId)).filter((token) => token.phase !== 'gone');
    if (live.length === 0) return 0;
    // After the pool, since a token may be inserted at any time.
    const owner = await owners.byId(db, ownerId);
    const recorded = owner ? await tokens.ofOwner(db, owner.did) : [];
    const strays = live.filter((token) => !recorded.some(({ slot }) => slot === token.slot));
    for (const stray of strays) await publisher.publish(ownerId, gone(stray));
    return strays.length;
  }
}

/** Outranks every state that the row ever had. */
function gone(token: LiveToken): LiveToken {
  return { ...token, uc: token.uc + withdrawalStep, phase: 'gone', accessToken: '' };
}
