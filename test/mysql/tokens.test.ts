import { describe, expect, test } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { TokenSealing } from '../../src/mysql/token-sealing.ts';
import { currentOfEachSlot, TokenTable } from '../../src/mysql/tokens.ts';
import type { KeyRing } from '../../src/runtime/key-ring.ts';
import { clear, newAttempt, prints, ringOf, silent, useTokenDatabase, type Columns } from './token-database.ts';

const database = useTokenDatabase();
const otherClient = 'b3RoZXI6Y2xpZW50';

function tableWith(ring: KeyRing, told: object[] = []): TokenTable {
  return new TokenTable(new TokenSealing(ring), prints, { ...silent, error: (facts: object) => { told.push(facts); } });
}

describe('reading tokens', () => {
  test('gives times in epoch ms by UTC, whatever the zone of the session that wrote them', async () => {
    const { db, rows, tokens } = database();
    const version = await database().addToken(await database().addOwner(), { createdtime: '2026-03-29 01:30:00.123', dueat: 1_774_751_400_456, attempt: newAttempt(), attemptepoch: 7 });
    await rows.query("SET time_zone = '+05:30'");
    await rows.query("UPDATE tsttoken SET statesince = '2026-03-29 07:00:00.789' WHERE tokendid = ?", [version]);
    await rows.query("SET time_zone = '+00:00'");
    expect(await tokens.byVersion(db, version)).toMatchObject({ issuedAt: Date.UTC(2026, 2, 29, 1, 30, 0, 123), stateSince: Date.UTC(2026, 2, 29, 1, 30, 0, 789), dueAt: 1_774_751_400_456, attemptEpoch: 7, validityMs: 3_600_000 });
  });

  test('takes the insert of the manual as it is written there: no plan, no attempt, update count 0', async () => {
    const ownerDid = await database().addOwner();
    await database().rows.query(
      `INSERT INTO token_service.tsttoken (tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken, isvalid) VALUES (${String(ownerDid)}, 'dXNlcjpwYXNz', 3600000, 'at', 'rt', 1)`.replace('token_service.', ''),
    );
    const [token] = await database().tokens.ofOwner(database().db, ownerDid);
    expect(token).toMatchObject({ state: 'idle', uc: 0, attempt: null, attemptEpoch: null, stateSince: null, retryCount: 0, dueAt: null, ownerDid });
    expect(Math.abs((token?.issuedAt ?? 0) - Date.now())).toBeLessThan(10_000);
    expect(token?.accessToken?.reveal()).toBe('at');
  });

  test('counts an update count that is NULL as 0', async () => {
    const version = await database().addToken(await database().addOwner(), { uc: null });
    expect(await database().token(version)).toMatchObject({ uc: 0 });
  });

  test('trims what people inserted, and takes blanks for nothing', async () => {
    const ownerDid = await database().addOwner();
    const version = await database().addToken(ownerDid, { accesstoken: ' at\n', refreshtoken: '  ', tokenauth: ' Y2xpZW50OnNlY3JldA== ' });
    const token = await database().token(version);
    expect(token.accessToken?.reveal()).toBe('at');
    expect(token.refreshToken).toBeNull();
    expect(token.auth.reveal()).toBe('Y2xpZW50OnNlY3JldA==');
    expect(token.slot).toBe((await database().token(await database().addToken(ownerDid))).slot);
  });

  test('of 8 KB gives every character back', async () => {
    const long = Array.from({ length: 8192 }, (_, i) => String.fromCharCode(33 + (i % 90))).join('');
    const token = await database().token(await database().addToken(await database().addOwner(), { accesstoken: `${long}a`, refreshtoken: `${long}r` }));
    expect(token.accessToken?.reveal()).toBe(`${long}a`);
    expect(token.refreshToken?.reveal()).toBe(`${long}r`);
  });

  test('of an owner gives the newest valid row of each slot', async () => {
    const ownerDid = await database().addOwner();
    await database().addToken(ownerDid);
    const newest = await database().addToken(ownerDid);
    const other = await database().addToken(ownerDid, { tokenauth: otherClient });
    await database().addToken(ownerDid, { tokenauth: otherClient, isvalid: 0 });
    const found = await database().tokens.ofOwner(database().db, ownerDid);
    expect(found.map(({ version }) => version).sort()).toEqual([newest, other].sort());
    expect(new Set(found.map(({ slot }) => slot)).size).toBe(2);
    expect(currentOfEachSlot([...found].reverse())).toHaveLength(2);
  });

  test('leaves out what is not valid, by row and by owner', async () => {
    const ended = await database().addOwner({ isvalid: 0 });
    const version = await database().addToken(ended);
    expect(await database().tokens.byVersion(database().db, version)).toBeUndefined();
    expect(await database().tokens.ofOwner(database().db, ended)).toEqual([]);
  });

  test('leaves out a row that cannot be read, says so without its values, and gives the others', async () => {
    const told: object[] = [];
    const ownerDid = await database().addOwner();
    const good = await database().addToken(ownerDid);
    const lost = await database().addToken(ownerDid, { tokenauth: otherClient });
    const [forgotten, known] = [ringOf('a'), ringOf('b')];
    await tableWith(forgotten).sealTouched(database().db, [lost]);
    const sealed = String((await database().row(lost))['accesstoken']);
    const found = await tableWith(known, told).ofOwner(database().db, ownerDid);
    expect(found.map(({ version }) => version)).toEqual([good]);
    expect(told).toEqual([{ version: lost, reason: expect.stringContaining('the key "a"') as string }]);
    expect(JSON.stringify(told)).not.toContain(sealed);
  });

  test('leaves out a row into which the sealed value of another row was copied', async () => {
    const ring = ringOf('a');
    const ownerDid = await database().addOwner();
    const from = await database().addToken(ownerDid);
    await tableWith(ring).sealTouched(database().db, [from]);
    const to = await database().addToken(ownerDid, { tokenauth: otherClient, refreshtoken: String((await database().row(from))['refreshtoken']) });
    const found = await tableWith(ring).ofOwner(database().db, ownerDid);
    expect(found.map(({ version }) => version)).toEqual([from]);
    expect(found.map(({ version }) => version)).not.toContain(to);
  });

  test('in pages meets every valid row once, in the order of the ids', async () => {
    const ownerDid = await database().addOwner();
    const versions: number[] = [];
    for (let i = 0; i < 5; i++) versions.push(await database().addToken(ownerDid));
    const met: number[] = [];
    for (let after = (versions[0] ?? 0) - 1; ;) {
      const page = await database().tokens.page(database().db, after, 2);
      if (page.length === 0) break;
      met.push(...page.map(({ version }) => version));
      after = met.at(-1) ?? after;
    }
    expect(met).toEqual(versions);
  });
});

describe('finding work', () => {
  test('due are idle rows whose time has come, the most overdue first', async () => {
    const ownerDid = await database().addOwner();
    const [late, later] = [await database().addToken(ownerDid, { dueat: 2000 }), await database().addToken(ownerDid, { dueat: 1000 })];
    await database().addToken(ownerDid, { dueat: 3001 });
    await database().addToken(ownerDid, { dueat: 1, state: 'sending', attempt: newAttempt() });
    await database().addToken(ownerDid, { dueat: 1, isvalid: 0 });
    expect((await database().tokens.due(database().db, 3000, 100)).map(({ version }) => version)).toEqual([later, late]);
    expect(await database().tokens.due(database().db, 3000, 1)).toHaveLength(1);
  });

  test('a plan sets when idle rows are due, and leaves rows in an attempt as they are', async () => {
    const ownerDid = await database().addOwner();
    const [a, b, busy] = [await database().addToken(ownerDid), await database().addToken(ownerDid), await database().addToken(ownerDid, { state: 'claimed', attempt: newAttempt(), dueat: 5 })];
    expect((await database().tokens.unplannedOf(database().db, ownerDid)).map(({ version }) => version)).toEqual([a, b]);
    await database().tokens.plan(database().db, [{ version: a, dueAt: 11 }, { version: b, dueAt: 22 }, { version: busy, dueAt: 33 }]);
    expect([await database().row(a), await database().row(b), await database().row(busy)].map((row) => Number(row['dueat']))).toEqual([11, 22, 5]);
    expect(await database().tokens.unplannedOf(database().db, ownerDid)).toEqual([]);
    await database().tokens.plan(database().db, []);
  });

  test('in an attempt are claimed, sent and doubtful rows, and only while they are valid', async () => {
    const ownerDid = await database().addOwner();
    const held = new Map<string, string>();
    for (const state of ['claimed', 'sending', 'in_doubt', 'idle', 'stopped', 'dead']) held.set(state, newAttempt());
    for (const [state, attempt] of held) await database().addToken(ownerDid, { state, attempt });
    const replaced = newAttempt();
    await database().addToken(ownerDid, { state: 'sending', attempt: replaced, isvalid: 0 });
    const { db, tokens } = database();
    const found = [...(await tokens.underWay(db, 1000)), ...(await tokens.inDoubt(db, 1000))].filter((token) => token.ownerDid === ownerDid);
    expect(found.map(({ state }) => state).sort()).toEqual(['claimed', 'in_doubt', 'sending']);
    const asked = await Promise.all([...held.values(), replaced].map((attempt) => database().tokens.isInAttempt(database().db, attempt)));
    expect(asked).toEqual([true, true, true, false, false, false, false]);
  });

  test('under way are the oldest attempts first, and of doubts those that the provider may be asked of: however many others there are', async () => {
    const { db, tokens, rows } = database();
    await rows.query("UPDATE tsttoken SET isvalid = 0 WHERE state IN ('claimed', 'sending', 'in_doubt')");
    const left = async (state: string, ageSeconds: number, owner: Columns = {}): Promise<number> => {
      const version = await database().addToken(await database().addOwner(owner), { state, attempt: newAttempt() });
      await rows.query('UPDATE tsttoken SET statesince = NOW(3) - INTERVAL ? SECOND WHERE tokendid = ?', [ageSeconds, version]);
      return version;
    };
    const grace = { providerpolicy: 'grace', gracems: 60_000 };
    for (const age of [500, 400]) await left('in_doubt', age);
    await left('in_doubt', 300, grace);
    const [inWindow, notRotating] = [await left('in_doubt', 30, grace), await left('in_doubt', 200, { providerpolicy: 'non_rotating' })];
    const [young, old] = [await left('sending', 1), await left('claimed', 20)];
    expect((await tokens.underWay(db, 2)).map(({ version }) => version)).toEqual([old, young]);
    expect((await tokens.inDoubt(db, 2)).map(({ version }) => version)).toEqual([notRotating, inWindow]);
    expect(await tokens.inDoubt(db, 10)).toHaveLength(5);
  });

  test('a row was replaced where it is there, of that owner, and valid no more', async () => {
    const ownerDid = await database().addOwner();
    const [old, current] = [await database().addToken(ownerDid, { isvalid: 0 }), await database().addToken(ownerDid)];
    const ask = (owner: number, version: number): Promise<boolean> => database().tokens.wasReplaced(database().db, owner, version);
    expect([await ask(ownerDid, old), await ask(ownerDid, current), await ask(ownerDid + 1, old), await ask(ownerDid, 9_999_999_999)]).toEqual([true, false, false, false]);
  });
});

describe('sealing rows that were inserted in the clear', () => {
  test('makes every secret unreadable in the table and changes nothing of what is read', async () => {
    const ring = ringOf('a');
    const version = await database().addToken(await database().addOwner(), { uc: 3 });
    const before = await database().token(version);
    expect(await tableWith(ring).sealTouched(database().db, [version])).toBe(1);
    const row = await database().row(version);
    for (const column of ['tokenauth', 'accesstoken', 'refreshtoken']) expect(row[column]).toMatch(/^sealed:v1:a:/);
    const after = await tableWith(ring).byVersion(database().db, version);
    expect(after?.accessToken?.reveal()).toBe(before.accessToken?.reveal());
    expect(after?.refreshToken?.reveal()).toBe(before.refreshToken?.reveal());
    expect(after).toMatchObject({ slot: before.slot, uc: 3 });
    expect(await tableWith(ring).sealTouched(database().db, [version])).toBe(0);
  });

  test('moves values of an old key to the one that writes, and leaves columns without a value alone', async () => {
    const version = await database().addToken(await database().addOwner(), { refreshtoken: null });
    await tableWith(ringOf('a')).sealTouched(database().db, [version]);
    const both = ringOf('b', 'a');
    expect(await tableWith(both).sealTouched(database().db, [version])).toBe(1);
    expect(await database().row(version)).toMatchObject({ accesstoken: expect.stringMatching(/^sealed:v1:b:/) as string, refreshtoken: null });
    expect((await tableWith(ringOf('b')).byVersion(database().db, version))?.refreshToken).toBeNull();
  });

  test('does nothing where there is no key', async () => {
    const version = await database().addToken(await database().addOwner());
    expect(await tableWith(clear).sealTouched(database().db, [version])).toBe(0);
    expect((await database().row(version))['accesstoken']).toMatch(/^at-/);
  });

  test('never writes back a value that somebody changed meanwhile', async () => {
    const sealing = new TokenSealing(ringOf('a'));
    const version = await database().addToken(await database().addOwner());
    const read = await database().row(version);
    await database().rows.query("UPDATE tsttoken SET refreshtoken = 'corrected' WHERE tokendid = ?", [version]);
    await sealing.sealRow(database().db, version, read as never);
    expect((await database().row(version))['refreshtoken']).toBe('corrected');
    expect(await tableWith(ringOf('a')).sealTouched(database().db, [version])).toBe(1);
    expect((await tableWith(ringOf('a')).byVersion(database().db, version))?.refreshToken?.reveal()).toBe('corrected');
  });

  test('goes on past a row that cannot be read, and says so without its values', async () => {
    const told: object[] = [];
    const ownerDid = await database().addOwner();
    const lost = await database().addToken(ownerDid, { refreshtoken: ringOf('z').seal('rt', 'tsttoken:1:refreshtoken') });
    const good = await database().addToken(ownerDid);
    expect(await tableWith(ringOf('a'), told).sealTouched(database().db, [lost, good])).toBe(1);
    expect((await database().row(good))['accesstoken']).toMatch(/^sealed:/);
    expect(told).toEqual([{ version: lost, reason: expect.stringContaining('the key "z"') as string }]);
    expect(JSON.stringify(told)).not.toContain('sealed:');
  });

  test('leaves a client authentication in the clear whose sealed form its column could not hold', async () => {
    const auth = 'x'.repeat(1990);
    const version = await database().addToken(await database().addOwner(), { tokenauth: auth });
    await tableWith(ringOf('a')).sealTouched(database().db, [version]);
    expect(await database().row(version)).toMatchObject({ tokenauth: auth, refreshtoken: expect.stringMatching(/^sealed:/) as string });
    expect((await tableWith(ringOf('a')).byVersion(database().db, version))?.auth.reveal()).toBe(auth);
  });
});

test('a slot is named by a keyed hash of its owner and client authentication', async () => {
  const [one, two] = [await database().addOwner(), await database().addOwner()];
  const slots = await Promise.all([one, two].map(async (owner) => (await database().token(await database().addToken(owner))).slot));
  expect(slots[0]).toMatch(/^[0-9a-f]{16}$/);
  expect(slots[0]).not.toBe(slots[1]);
  expect(slots[0]).toBe(prints.slotOf(one, new Secret('Y2xpZW50OnNlY3JldA==')));
});
