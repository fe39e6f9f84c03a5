import { randomUUID } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import type { Database, Statement } from '../../src/mysql/connection.ts';
import { OwnerTable } from '../../src/mysql/owners.ts';
import { NearCache } from '../../src/pool/near-cache.ts';
import { drainMs } from '../../src/pool/drain.ts';
import { TokenLookup } from '../../src/pool/token-lookup.ts';
import { LivePool } from '../../src/redis/live-pool.ts';
import { LiveTokenCode } from '../../src/redis/live-token-code.ts';
import { silenceMs } from '../../src/redis/feed-subscriber.ts';
import { ClusterClock } from '../../src/runtime/clock.ts';
import { clear, prints, silent, useTokenDatabase, type Columns } from '../mysql/token-database.ts';
import { useClients } from '../redis/clients.ts';

const database = useTokenDatabase();
const connect = useClients();

class HandClock extends ClusterClock {
  ahead = 0;

  override monotonic(): number {
    return super.monotonic() + this.ahead;
  }
}

/** A node that is cut off from Redis and reads the owner's tokens from MySQL. @returns for how long it trusts what it read, ms */
async function trustOf(owner: Columns, tokens: readonly Columns[]): Promise<number> {
  const ownerId = `owner-${randomUUID()}`;
  const ownerDid = await database().addOwner({ ownerid: ownerId, ...owner });
  for (const columns of tokens) await database().addToken(ownerDid, columns);
  const clock = new HandClock();
  const cache = new NearCache(clock, () => false);
  const away = connect({ url: 'redis://127.0.0.1:1' }, 'read');
  const livePool = new LivePool(away, away, 'test', new LiveTokenCode(clear), () => undefined);
  const lookup = new TokenLookup({ livePool, db: database().db, owners: new OwnerTable({ retryMax: 1, retryDelayMs: 1 }), tokens: database().tokens }, cache, clock, silent);
  const begun = performance.now();
  expect(await lookup.find(ownerId)).toMatchObject({ kind: 'token', source: 'mysql' });
  while (cache.peek(ownerId) !== undefined) clock.ahead += 100;
  return clock.ahead + performance.now() - begun;
}

/** That of rows of `addToken`. */
const auth = new Secret('Y2xpZW50OnNlY3JldA==');
const two = [{}, { tokenauth: 'b3RoZXI6c2VjcmV0' }];

test('a node cut off from Redis knows of a withdrawal before the drain of the token counts as begun', async () => {
  const resetTimeMs = 0;
  const reach = drainMs({ resetTimeMs } as Parameters<typeof drainMs>[0]);
  for (const refreshmode of ['auto', 'drain']) expect(silenceMs + (await trustOf({ refreshmode }, two))).toBeLessThanOrEqual(reach + 200);
});

test('where nothing is ever withdrawn it asks MySQL every five seconds only', async () => {
  expect(await trustOf({}, [{}])).toBeGreaterThan(4500);
  expect(await trustOf({ refreshmode: 'overlap' }, two)).toBeGreaterThan(4500);
});

test('while no store answers, what is known is handed out soon, and the next time at once', async () => {
  const clock = new HandClock();
  const cache = new NearCache(clock, () => false);
  cache.learn('gw', [{ slot: 's', version: 1, uc: 0, phase: 'ready', expiresAt: clock.now() + 60_000, accessToken: 'known' }], 0, clock.monotonic() - 1000);
  const away = connect({ url: 'redis://127.0.0.1:1' }, 'read');
  const livePool = new LivePool(away, away, 'test', new LiveTokenCode(clear), () => undefined);
  const frozen: Database = { ...database().db, query: () => new Promise(() => undefined) };
  const lookup = new TokenLookup({ livePool, db: frozen, owners: new OwnerTable({ retryMax: 1, retryDelayMs: 1 }), tokens: database().tokens }, cache, clock, silent);
  expect(cache.peek('gw')).toBeUndefined();
  const begun = performance.now();
  expect(await lookup.find('gw')).toEqual({ kind: 'token', source: 'memory', accessToken: 'known' });
  expect(performance.now() - begun).toBeLessThan(1500);
  expect(cache.peek('gw')).toBe('known');
});

/** A node that knows a token of an owner whose row is invalid; `afterLook` runs when MySQL has said that there is no valid one. */
async function nodeThatKnew(afterLook: (ownerDid: number) => Promise<unknown>): Promise<{ lookup: TokenLookup; cache: NearCache; ownerId: string; looks: () => number }> {
  const ownerId = `owner-${randomUUID()}`;
  const ownerDid = await database().addOwner({ ownerid: ownerId });
  const version = await database().addToken(ownerDid, { isvalid: 0 });
  const clock = new HandClock();
  const cache = new NearCache(clock, () => false);
  cache.learn(ownerId, [{ slot: prints.slotOf(ownerDid, auth), version, uc: 0, phase: 'ready', expiresAt: clock.now() + 60_000, accessToken: 'before' }], 0, clock.monotonic() - 1000);
  const away = connect({ url: 'redis://127.0.0.1:1' }, 'read');
  const livePool = new LivePool(away, away, 'test', new LiveTokenCode(clear), () => undefined);
  let looks = 0;
  const db: Database = {
    ...database().db,
    query: async <T extends object>(statement: Statement, signal?: AbortSignal) => {
      const rows = await database().db.query<T>(statement, signal);
      if (statement.label === 'tokens.ofOwner' && ++looks === 1) await afterLook(ownerDid);
      return rows;
    },
  };
  return { lookup: new TokenLookup({ livePool, db, owners: new OwnerTable({ retryMax: 1, retryDelayMs: 1 }), tokens: database().tokens }, cache, clock, silent), cache, ownerId, looks: () => looks };
}

test('an owner whose row is being replaced, the old one invalid already and the new one not there yet, has a token', async () => {
  const { lookup, ownerId } = await nodeThatKnew((ownerDid) => database().addToken(ownerDid, { accesstoken: 'after' }));
  expect(await lookup.find(ownerId)).toEqual({ kind: 'token', source: 'mysql', accessToken: 'after' });
});

test('an owner whose last row was made invalid has none, and is looked up once from then on', async () => {
  const { lookup, cache, ownerId, looks } = await nodeThatKnew(async () => undefined);
  expect(await lookup.find(ownerId)).toEqual({ kind: 'no_tokens' });
  expect({ looks: looks(), known: cache.anyUsable(ownerId) }).toEqual({ looks: 2, known: undefined });
  expect(await lookup.find(ownerId)).toEqual({ kind: 'no_tokens' });
  expect(looks()).toBe(3);
});

describe('A token that was withdrawn for its refresh, while the other of its owner has expired', () => {
  /** `known` is the update count of the withdrawal that the node was told of. */
  async function found(row: { state: string; uc: number }, known: number): Promise<unknown> {
    const ownerId = `owner-${randomUUID()}`;
    const ownerDid = await database().addOwner({ ownerid: ownerId });
    const version = await database().addToken(ownerDid, { accesstoken: 'withdrawn', ...row });
    await database().addToken(ownerDid, { tokenauth: 'b3RoZXI6c2VjcmV0', tokenvalidity: 0 });
    const clock = new HandClock();
    const cache = new NearCache(clock, () => true);
    cache.hear(ownerId, { slot: prints.slotOf(ownerDid, auth), version, uc: known, phase: 'withdrawn', expiresAt: clock.now() + 60_000, accessToken: 'withdrawn' });
    const away = connect({ url: 'redis://127.0.0.1:1' }, 'read');
    const livePool = new LivePool(away, away, 'test', new LiveTokenCode(clear), () => undefined);
    return new TokenLookup({ livePool, db: database().db, owners: new OwnerTable({ retryMax: 1, retryDelayMs: 1 }), tokens: database().tokens }, cache, clock, silent).find(ownerId);
  }

  const again = { kind: 'token', source: 'mysql', accessToken: 'withdrawn' };

  test('is handed out again: its master may be dead', async () => {
    expect(await found({ state: 'claimed', uc: 1 }, 1)).toEqual(again);
    expect(await found({ state: 'sending', uc: 2 }, 1)).toEqual(again);
  });

  test('also where the node was told of it, when the other still lived, by a look into MySQL', async () => {
    expect(await found({ state: 'sending', uc: 2 }, 2)).toEqual(again);
  });

  test('is not where something later is known of it', async () => {
    expect(await found({ state: 'claimed', uc: 1 }, 2)).toEqual({ kind: 'none_usable' });
  });
});
