import { withdrawsDuringRefresh, type Owner } from '../domain/owner.ts';
import { expiresAt, type Token } from '../domain/token.ts';
import type { Database } from '../mysql/connection.ts';
import type { OwnerTable } from '../mysql/owners.ts';
import type { PoolChanges } from '../mysql/pool-changes.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Limiter } from '../runtime/limiter.ts';
import { liveView } from './live-view.ts';
import type { Scheduler } from './scheduler.ts';
import { ShadowedTokens } from './shadowed-tokens.ts';
import type { TokenPublisher } from './token-publisher.ts';

export interface PlannerParts {
  readonly db: Database;
  readonly owners: OwnerTable;
  readonly tokens: TokenTable;
  readonly changes: PoolChanges;
  readonly scheduler: Scheduler;
  readonly publisher: TokenPublisher;
  readonly databaseShare: Limiter;
  readonly clock: Clock;
}

/** Takes rows into the pool for which nothing was planned yet: seals them, plans their refresh, publishes them. */
export class PoolPlanner {
  readonly #parts: PlannerParts;
  readonly #shadowed: ShadowedTokens;

  constructor(parts: PlannerParts) {
    this.#parts = parts;
    this.#shadowed = new ShadowedTokens(parts.changes);
  }

  /** @returns how many rows were taken in */
  async takeIn(unplanned: readonly Token[]): Promise<number> {
    const { db, tokens, databaseShare } = this.#parts;
    await tokens.sealTouched(db, unplanned.map((token) => token.version));
    const byOwner = Map.groupBy(unplanned, (token) => token.ownerDid);
    await Promise.all([...byOwner].map(([ownerDid, rows]) => databaseShare.run(() => this.#takeInRows(ownerDid, rows))));
    return unplanned.length;
  }

  async #takeInRows(ownerDid: number, rows: readonly Token[]): Promise<void> {
    const owner = await this.#parts.owners.byDid(this.#parts.db, ownerDid);
    if (owner) await this.#takeInOwner(owner, rows);
  }

  async #takeInOwner(owner: Owner, rows: readonly Token[]): Promise<void> {
    const { db, tokens, scheduler, publisher, clock } = this.#parts;
    const { current, shadowed } = await tokens.allOfOwner(db, owner.did);
    const drained = withdrawsDuringRefresh(owner, current.length > 1);
    const taken = rows.filter((row) => current.some(({ version }) => version === row.version));
    const plans = taken.map((row) => ({ version: row.version, ownerDid: owner.did, dueAt: this.#dueAt(owner, drained, row) }));
    // Before the plan: a row that is planned is not looked at here again, should this end in between. A row that cannot be changed must not hold the new one up.
    const superseding = await this.#shadowed.supersede(owner, shadowed).then(() => undefined, (error: unknown) => ({ error }));
    await tokens.plan(db, plans);
    for (const row of taken) await publisher.publish(owner.id, liveView(owner, row, current, clock.now()));
    await scheduler.schedule(plans);
    if (superseding) throw superseding.error;
  }

  /** One that has expired already is due now, and not late. */
  #dueAt(owner: Owner, drained: boolean, token: Token): number {
    const { scheduler, clock } = this.#parts;
    const now = clock.now();
    return expiresAt(token) <= now ? Math.ceil(now) : scheduler.dueAt(owner, drained, token.issuedAt, token.validityMs);
  }
}
