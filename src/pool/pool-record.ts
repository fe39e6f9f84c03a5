import type { Owner } from '../domain/owner.ts';
import type { Token } from '../domain/token.ts';
import type { Database } from '../mysql/connection.ts';
import type { OwnerTable } from '../mysql/owners.ts';
import { currentOfEachSlot, type TokenTable } from '../mysql/tokens.ts';
import type { PoolEntry } from '../redis/live-pool.ts';
import type { Clock } from '../runtime/clock.ts';
import { liveView } from './live-view.ts';

const pageSize = 2000;

/** Valid rows of one owner, each of them behind a newer one of its slot. */
export interface Shadowed {
  readonly owner: Owner;
  readonly rows: readonly Token[];
}

/** The whole pool as the record has it. */
export class PoolRecord {
  readonly #db: Database;
  readonly #owners: OwnerTable;
  readonly #tokens: TokenTable;
  readonly #clock: Clock;

  constructor(db: Database, owners: OwnerTable, tokens: TokenTable, clock: Clock) {
    this.#db = db;
    this.#owners = owners;
    this.#tokens = tokens;
    this.#clock = clock;
  }

  /** The current token of every slot, as rows and as callers see them, and what stands behind one. @throws StoreUnavailable */
  async read(signal?: AbortSignal): Promise<{ readonly entries: PoolEntry[]; readonly rows: Token[]; readonly shadowed: Shadowed[] }> {
    const owners = new Map((await this.#owners.all(this.#db, signal)).map((owner) => [owner.did, owner]));
    const entries: PoolEntry[] = [];
    const rows: Token[] = [];
    const shadowed: Shadowed[] = [];
    for (const [did, valid] of Map.groupBy(await this.#allValid(signal), (token) => token.ownerDid)) {
      const owner = owners.get(did);
      if (!owner) continue;
      const current = currentOfEachSlot(valid);
      rows.push(...current);
      if (current.length < valid.length) shadowed.push({ owner, rows: valid.filter((row) => !current.includes(row)) });
      entries.push(...current.map((token) => ({ ownerId: owner.id, token: liveView(owner, token, current, this.#clock.now()) })));
    }
    return { entries, rows, shadowed };
  }

  async #allValid(signal?: AbortSignal): Promise<Token[]> {
    const all: Token[] = [];
    for (let after = 0; ; ) {
      const page = await this.#tokens.page(this.#db, after, pageSize, signal);
      all.push(...page);
      const last = page.at(-1);
      if (!last || page.length < pageSize) return all;
      after = last.version;
    }
  }
}
