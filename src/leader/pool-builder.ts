import { outranks, returnStep, type LiveToken, type Token } from '../domain/token.ts';
import type { Database } from '../mysql/connection.ts';
import type { OwnerTable } from '../mysql/owners.ts';
import type { PoolChanges } from '../mysql/pool-changes.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import type { PoolRecord, Shadowed } from '../pool/pool-record.ts';
import type { Scheduler } from '../pool/scheduler.ts';
import { ShadowedTokens } from '../pool/shadowed-tokens.ts';
import { StrayTokens } from '../pool/stray-tokens.ts';
import type { TokenPublisher } from '../pool/token-publisher.ts';
import type { LivePool, PoolEntry } from '../redis/live-pool.ts';

const batchSize = 500;

export interface BuilderParts {
  readonly db: Database;
  readonly owners: OwnerTable;
  readonly tokens: TokenTable;
  readonly changes: PoolChanges;
  readonly livePool: LivePool;
  readonly publisher: TokenPublisher;
  readonly scheduler: Scheduler;
  readonly record: PoolRecord;
}

export interface Census {
  readonly entries: readonly PoolEntry[];
  /** Valid rows that a newer one has replaced. */
  readonly shadowed: readonly Shadowed[];
  readonly inDoubt: number;
  readonly stopped: number;
  readonly dead: number;
}

/** Compares the live pool with the record, and makes it the same. */
export class PoolBuilder {
  readonly #parts: BuilderParts;
  readonly #strays: StrayTokens;
  readonly #shadowed: ShadowedTokens;

  constructor(parts: BuilderParts) {
    this.#parts = parts;
    this.#strays = new StrayTokens(parts);
    this.#shadowed = new ShadowedTokens(parts.changes);
  }

  /** @param withJobs whether the jobs are planned too; a planned one stays as it is @returns what the record holds, and how many tokens the pool lacked */
  async build(withJobs: boolean, signal: AbortSignal): Promise<Census & { readonly lacking: number }> {
    const { record, livePool, scheduler } = this.#parts;
    const { entries, rows, shadowed } = await record.read(signal);
    let lacking = 0;
    for (let start = 0; start < entries.length && !signal.aborted; start += batchSize) {
      lacking += await livePool.putAll(entries.slice(start, start + batchSize));
    }
    if (withJobs && !signal.aborted) await scheduler.schedule(rows.flatMap(plannedRefresh));
    return { entries, shadowed, lacking, ...countStates(rows) };
  }

  /**
   * Withdraws what the pool holds and the record no longer has, and brings back what the record has again.
   * @param entries what the record holds @returns how many tokens
   */
  async sweep(entries: readonly PoolEntry[], signal: AbortSignal): Promise<number> {
    const { db, owners, livePool } = this.#parts;
    const held = Map.groupBy(entries, (entry) => entry.ownerId);
    for (const ownerId of await owners.idsWithoutToken(db, signal)) if (!held.has(ownerId)) held.set(ownerId, []);
    let changed = 0;
    for (const [ownerId, ofOwner] of held) {
      if (signal.aborted) break;
      const live = await livePool.tokensOf(ownerId);
      const hasStrays = live.some((token) => token.phase !== 'gone' && !ofOwner.some((entry) => entry.token.slot === token.slot));
      const returned = ofOwner.filter((entry) => live.some((token) => hides(token, entry.token)));
      if (hasStrays) changed += await this.#strays.withdraw(ownerId);
      for (const { token } of returned) changed += await this.#bringBack(ownerId, token);
    }
    return changed;
  }

  /** Makes invalid what a newer row has replaced. One that cannot be changed, such as a locked row, holds up no other. @throws AggregateError what stood in the way */
  async supersede(shadowed: readonly Shadowed[], signal: AbortSignal): Promise<void> {
    const failures: unknown[] = [];
    for (const { owner, rows } of shadowed) {
      if (signal.aborted) return;
      await this.#shadowed.supersede(owner, rows).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw new AggregateError(failures, 'Rows that were replaced could not be made invalid');
  }

  /** Seals what the valid rows hold in the clear or under an old key. @returns how many rows were written */
  async seal(signal: AbortSignal): Promise<number> {
    const { db, tokens, record } = this.#parts;
    const { rows } = await record.read(signal);
    let sealed = 0;
    for (let start = 0; start < rows.length && !signal.aborted; start += batchSize) {
      sealed += await tokens.sealTouched(db, rows.slice(start, start + batchSize).map(({ version }) => version));
    }
    return sealed;
  }

  async #bringBack(ownerId: string, token: LiveToken): Promise<number> {
    const { changes, publisher } = this.#parts;
    if (!(await changes.bringBack(token))) return 0;
    await publisher.publish(ownerId, { ...token, uc: token.uc + returnStep });
    return 1;
  }
}

function plannedRefresh(token: Token): { version: number; ownerDid: number; dueAt: number }[] {
  return token.state === 'idle' && token.dueAt !== null ? [{ version: token.version, ownerDid: token.ownerDid, dueAt: token.dueAt }] : [];
}

/** Whether the withdrawal of a row keeps it from callers although the row is valid again. */
function hides(live: LiveToken, recorded: LiveToken): boolean {
  return live.phase === 'gone' && live.slot === recorded.slot && live.version === recorded.version && recorded.phase !== 'gone' && !outranks(recorded, live);
}

function countStates(rows: readonly Token[]): { inDoubt: number; stopped: number; dead: number } {
  const count = (state: Token['state']): number => rows.filter((row) => row.state === state).length;
  return { inDoubt: count('in_doubt'), stopped: count('stopped'), dead: count('dead') };
}
