import type { LiveToken, Token } from '../domain/token.ts';
import type { Database } from '../mysql/connection.ts';
import type { OwnerTable } from '../mysql/owners.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import type { PoolRecord } from '../pool/pool-record.ts';
import type { Scheduler } from '../pool/scheduler.ts';
import type { TokenPublisher } from '../pool/token-publisher.ts';
import type { LivePool, PoolEntry } from '../redis/live-pool.ts';

const batchSize = 500;

export interface BuilderParts {
  readonly db: Database;
  readonly owners: OwnerTable;
  readonly tokens: TokenTable;
  readonly livePool: LivePool;
  readonly publisher: TokenPublisher;
  readonly scheduler: Scheduler;
  readonly record: PoolRecord;
}

export interface Census {
  readonly entries: readonly PoolEntry[];
  readonly inDoubt: number;
  readonly stopped: number;
  readonly dead: number;
}

/** Compares the live pool with the record, and makes it the same. */
export class PoolBuilder {
  readonly #parts: BuilderParts;

  constructor(parts: BuilderParts) {
    this.#parts = parts;
  }

  /** @param withJobs whether the jobs are planned too; a planned one stays as it is @returns what the record holds, and how many tokens the pool lacked */
  async build(withJobs: boolean, signal: AbortSignal): Promise<Census & { readonly lacking: number }> {
    const { record, livePool, scheduler } = this.#parts;
    const { entries, rows } = await record.read();
    let lacking = 0;
    for (let start = 0; start < entries.length && !signal.aborted; start += batchSize) {
      lacking += await livePool.putAll(entries.slice(start, start + batchSize));
    }
    if (withJobs && !signal.aborted) await scheduler.schedule(rows.flatMap(plannedRefresh));
    return { entries, lacking, ...countStates(rows) };
  }

  /** Withdraws for good what the pool holds of these owners and the record no longer has. @returns how many tokens */
  async sweep(entries: readonly PoolEntry[], signal: AbortSignal): Promise<number> {
    let removed = 0;
    for (const [ownerId, ofOwner] of Map.groupBy(entries, (entry) => entry.ownerId)) {
      if (signal.aborted) break;
      const slots = new Set(ofOwner.map(({ token }) => token.slot));
      const strays = (await this.#parts.livePool.tokensOf(ownerId)).filter((token) => !slots.has(token.slot) && token.phase !== 'gone');
      if (strays.length > 0) removed += await this.#withdraw(ownerId, strays);
    }
    return removed;
  }

  /** Seals what the valid rows hold in the clear or under an old key. @returns how many rows were written */
  async seal(signal: AbortSignal): Promise<number> {
    const { db, tokens, record } = this.#parts;
    const { rows } = await record.read();
    let sealed = 0;
    for (let start = 0; start < rows.length && !signal.aborted; start += batchSize) {
      sealed += await tokens.sealTouched(db, rows.slice(start, start + batchSize).map(({ version }) => version));
    }
    return sealed;
  }

  /** Looks again first: a token may have been inserted since the record was read. */
  async #withdraw(ownerId: string, strays: readonly LiveToken[]): Promise<number> {
    const { db, owners, tokens, publisher } = this.#parts;
    const owner = await owners.byId(db, ownerId);
    const current = owner ? await tokens.ofOwner(db, owner.did) : [];
    const certain = strays.filter((stray) => !current.some((token) => token.slot === stray.slot));
    for (const stray of certain) await publisher.publish(ownerId, gone(stray));
    return certain.length;
  }
}

function plannedRefresh(token: Token): { version: number; ownerDid: number; dueAt: number }[] {
  return token.state === 'idle' && token.dueAt !== null ? [{ version: token.version, ownerDid: token.ownerDid, dueAt: token.dueAt }] : [];
}

/** Outranks every state that the row ever had. */
function gone(token: LiveToken): LiveToken {
  return { ...token, uc: Number.MAX_SAFE_INTEGER, phase: 'gone', accessToken: '' };
}

function countStates(rows: readonly Token[]): { inDoubt: number; stopped: number; dead: number } {
  const count = (state: Token['state']): number => rows.filter((row) => row.state === state).length;
  return { inDoubt: count('in_doubt'), stopped: count('stopped'), dead: count('dead') };
}
