import { ServiceError, StoreUnavailable } from '../domain/errors.ts';
import { events, statuses } from '../domain/event.ts';
import type { Database } from '../mysql/connection.ts';
import type { OwnerTable } from '../mysql/owners.ts';
import type { PoolChanges } from '../mysql/pool-changes.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import type { FeedPublisher } from '../redis/feed.ts';
import type { LivePool } from '../redis/live-pool.ts';
import type { Logger } from '../runtime/log.ts';
import type { ClientHolds } from './client-holds.ts';
import type { PoolPlanner } from './pool-planner.ts';
import { StrayTokens } from './stray-tokens.ts';
import type { TokenPublisher } from './token-publisher.ts';

export interface RestartParts {
  readonly db: Database;
  readonly owners: OwnerTable;
  readonly tokens: TokenTable;
  readonly changes: PoolChanges;
  readonly planner: PoolPlanner;
  readonly holds: ClientHolds;
  readonly livePool: LivePool;
  readonly publisher: TokenPublisher;
  readonly feed: FeedPublisher;
  readonly logger: Logger;
}

/** PUT restart: loads the owner and its tokens again from the record, forgets failures, and plans all refreshes anew. On the master. */
export class PoolRestarter {
  readonly #parts: RestartParts;
  readonly #strays: StrayTokens;

  constructor(parts: RestartParts) {
    this.#parts = parts;
    this.#strays = new StrayTokens(parts);
  }

  /**
   * @throws ServiceError TPS0013 unknown owner, TPS0029 without a valid token, TPS0008 without a reset time, TPS0018 without a token URL
   * @throws StoreUnavailable
   */
  async restart(ownerId: string): Promise<void> {
    const { db, owners, tokens, changes, planner, holds, logger } = this.#parts;
    await this.#ignoringRedis(() => this.#strays.withdraw(ownerId));
    await this.#announce(ownerId);
    const owner = await owners.byId(db, ownerId);
    if (!owner) throw new ServiceError('TPS0013');
    if (owner.resetTimeMs <= 0) throw new ServiceError('TPS0008');
    if (owner.tokenUrl === '') throw new ServiceError('TPS0018');
    const before = await tokens.ofOwner(db, owner.did);
    if (before.length === 0) throw new ServiceError('TPS0029');
    for (const token of before) holds.release(owner, token);
    await changes.restart(owner.did, { job: `owner:${owner.id}`, event: events.restart, status: statuses.restarted, text: 'the pool was restarted' });
    const planned = await tokens.unplannedOf(db, owner.did);
    await planner.takeIn(planned);
    await this.#announce(owner.id);
    logger.info({ owner: owner.id, tokens: planned.length }, 'The pool of an owner was restarted');
  }

  /** Every node asks the stores again before it hands out what it knows. */
  async #announce(ownerId: string): Promise<void> {
    await this.#ignoringRedis(() => this.#parts.feed.publish({ kind: 'owner', owner: ownerId }));
  }

  /** What Redis misses, the reconciler makes good. */
  async #ignoringRedis(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof StoreUnavailable && error.store === 'redis')) throw error;
    }
  }
}
