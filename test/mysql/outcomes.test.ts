import { describe, expect, test } from 'vitest';

import { CommitUnknown, StoreUnavailable } from '../../src/domain/errors.ts';
import { Secret } from '../../src/domain/secret.ts';
import type { Token } from '../../src/domain/token.ts';
import { ClaimTable, type Claim } from '../../src/mysql/claims.ts';
import type { Database } from '../../src/mysql/connection.ts';
import { markSending } from '../../src/mysql/mark-sending.ts';
import { OutcomeTable, type NewToken, type RecordResult, type Release } from '../../src/mysql/outcomes.ts';
import { TermTable } from '../../src/mysql/terms.ts';
import { TokenSealing } from '../../src/mysql/token-sealing.ts';
import type { KeyRing } from '../../src/runtime/key-ring.ts';
import { startTcpProxy } from '../harness/tcp-proxy.ts';
import { clear, heldBeforeCommit, newAttempt, prints, ringOf, useTokenDatabase, type Columns } from './token-database.ts';

const database = useTokenDatabase();
const failed = { job: 'owner:o token:1', event: '2000', status: '4000', text: 'it failed' } as const;

interface Sent {
  readonly db: Database;
  readonly claims: ClaimTable;
  readonly outcomes: OutcomeTable;
  readonly token: Token;
  readonly claim: Claim;
}

/** A token whose refresh was sent. */
async function sent({ owner = {}, columns = {}, ring = clear, ownerDid }: { owner?: Columns; columns?: Columns; ring?: KeyRing; ownerDid?: number } = {}): Promise<Sent> {
  const { db } = database();
  const did = ownerDid ?? (await database().addOwner(owner));
  const token = await database().token(await database().addToken(did, columns));
  const claims = new ClaimTable(db, prints, 'node-a');
  const claim: Claim = { version: token.version, ownerDid: did, attempt: newAttempt(), epoch: await new TermTable(db, 'node-a').begin(10_000) };
  expect(await claims.claim(token, claim)).toBe('claimed');
  expect(await markSending(database().db, claim)).toBe(true);
  return { db, claims, outcomes: new OutcomeTable(db, new TokenSealing(ring)), token, claim };
}

function answerTo({ version, attempt }: Claim, changes: Partial<NewToken> = {}): NewToken {
  return { version, attempt, accessToken: new Secret(`new-at-${attempt}`), refreshToken: new Secret(`new-rt-${attempt}`), validityMs: 1_800_000, issuedAt: 1_900_000_000_123, dueAt: (validityMs) => 1_900_000_000_123 + validityMs / 2, ...changes };
}

function release({ claim }: Sent, changes: Partial<Release> = {}): Release {
  return { version: claim.version, ownerDid: claim.ownerDid, attempt: claim.attempt, state: 'idle', retryCount: 1, dueAt: 4711, event: failed, ...changes };
}

function versionOf(result: RecordResult): number {
  if (result.kind === 'superseded') throw new Error('the answer was superseded');
  return result.version;
}

async function childrenOf(version: number): Promise<number[]> {
  return (await database().select('SELECT tokendid FROM tsttoken WHERE parenttokendid = ?', version)).map((row) => Number(row['tokendid']));
}

async function isSpent(claim: Claim): Promise<boolean> {
  return (await database().select('SELECT 1 FROM tstspent WHERE attempt = ?', claim.attempt)).length > 0;
}

async function retryCountOf(ownerDid: number): Promise<number | null> {
  const [row] = await database().select('SELECT reattmptcount FROM tsxwho WHERE tsxwhodid = ?', ownerDid);
  return row?.['reattmptcount'] as number | null;
}

describe('recording an answer', () => {
  test('replaces the row by a child: its parent, issue time in ms, lifetime, due time and a fresh state', async () => {
    const { outcomes, token, claim } = await sent({ columns: { retrycount: 3 } });
    const result = await outcomes.record(answerTo(claim), 'job');
    expect(result).toEqual({ kind: 'recorded', version: expect.any(Number) as number, validityMs: 1_800_000, dueAt: 1_900_000_900_123 });
    const child = await database().row(versionOf(result));
    expect(child).toMatchObject({ parenttokendid: token.version, valid: 1, state: 'idle', attempt: null, retrycount: 0, uc: 0, tokenvalidity: 1_800_000, dueat: 1_900_000_900_123, tsxwhodid: token.ownerDid });
    expect(Number(child['createdms'])).toBe(1_900_000_000_123);
    expect(child).toMatchObject({ tokenauth: token.auth.reveal(), accesstoken: `new-at-${claim.attempt}`, refreshtoken: `new-rt-${claim.attempt}` });
    expect(await database().row(token.version)).toMatchObject({ valid: 0, dueat: null, refreshtoken: token.refreshToken?.reveal() });
  });

  test('keeps the lifetime of the row before where the answer gave none', async () => {
    const { outcomes, token, claim } = await sent({ columns: { tokenvalidity: 123_000 } });
    const result = await outcomes.record(answerTo(claim, { validityMs: null }), 'job');
    expect(result).toMatchObject({ validityMs: 123_000 });
    expect((await database().token(versionOf(result))).validityMs).toBe(token.validityMs);
  });

  test('twice says so, names the same child, and writes the history once', async () => {
    const { outcomes, claim } = await sent();
    const first = await outcomes.record(answerTo(claim), `twice:${claim.attempt}`);
    expect(await outcomes.record(answerTo(claim), `twice:${claim.attempt}`)).toEqual({ kind: 'known', version: versionOf(first), standing: { validityMs: 1_800_000, dueAt: 1_900_000_900_123 } });
    expect(await childrenOf(claim.version)).toEqual([versionOf(first)]);
    expect(await database().select('SELECT 1 FROM tstevent WHERE jobname = ?', `twice:${claim.attempt}`)).toHaveLength(3);
  });

  test('stands back where another row was inserted in its place meanwhile: the child is kept, invalid, and says so', async () => {
    const { db, outcomes, claim } = await sent();
    const inserted = await database().addToken(claim.ownerDid);
    expect(await outcomes.record(answerTo(claim), `stands-back:${claim.attempt}`)).toEqual({ kind: 'superseded' });
    const [child] = await childrenOf(claim.version);
    expect(await database().row(child!)).toMatchObject({ valid: 0, dueat: null, state: 'idle', refreshtoken: `new-rt-${claim.attempt}` });
    expect((await database().row(claim.version))['valid']).toBe(0);
    expect((await database().tokens.ofOwner(db, claim.ownerDid)).map(({ version }) => version)).toEqual([inserted]);
    const texts = (await database().select('SELECT text FROM tstevent WHERE jobname = ?', `stands-back:${claim.attempt}`)).map((row) => String(row['text']));
    expect(texts).toContain(`token ${claim.version}, and token ${child} that its refresh brought, gave way to token ${inserted}, which was inserted meanwhile`);
    expect(await outcomes.record(answerTo(claim), 'job')).toEqual({ kind: 'superseded' });
  });

  test.each([
    ['of another client', { tokenauth: 'b3RoZXI6c2VjcmV0' }, false],
    ['that is a copy of it, whose refresh token was sent', {}, true],
    ['that is not valid', { isvalid: 0 }, false],
  ])('takes its place where a row was inserted meanwhile %s', async (_which, columns: Columns, isCopy) => {
    const { outcomes, token, claim } = await sent();
    await database().addToken(claim.ownerDid, isCopy ? { refreshtoken: token.refreshToken!.reveal() } : columns);
    const result = await outcomes.record(answerTo(claim), 'job');
    expect(result.kind).toBe('recorded');
    expect((await database().row(versionOf(result)))['valid']).toBe(1);
  });

  test('by several nodes at once gives one child, which all of them name', async () => {
    for (let round = 0; round < 5; round++) {
      const { claim } = await sent();
      const nodes = Array.from({ length: 4 }, () => new OutcomeTable(database().open({ connectionLimit: 2 }), new TokenSealing(clear)));
      const results = await Promise.all(nodes.map((outcomes) => outcomes.record(answerTo(claim), 'job')));
      expect(results.filter(({ kind }) => kind === 'recorded')).toHaveLength(1);
      expect(results.filter(({ kind }) => kind === 'known')).toHaveLength(3);
      expect(new Set(results.map(versionOf)).size).toBe(1);
      expect(await childrenOf(claim.version)).toHaveLength(1);
    }
  });

  test('works on a token in doubt, and under a later term than the one of its claim', async () => {
    const { db, claims, outcomes, claim } = await sent();
    await claims.markInDoubt(claim.version, claim.attempt, failed);
    await new TermTable(db, 'node-b').begin(10_000);
    expect(await outcomes.record(answerTo(claim), 'job')).toMatchObject({ kind: 'recorded' });
  });

  test('whose COMMIT was carried out and not answered is an unknown outcome, and repeating it finds the child', async () => {
    const { claim, outcomes } = await sent();
    const proxy = await startTcpProxy(database().schema.port);
    const fragile = database().open({ host: '127.0.0.1', port: proxy.port, queryTimeoutMs: 500 });
    const losesReply = heldBeforeCommit(fragile, () => { proxy.blackHole('toClient'); });
    await expect(new OutcomeTable(losesReply, new TokenSealing(clear)).record(answerTo(claim), 'job')).rejects.toThrow(CommitUnknown);
    await proxy.stop();
    const repeated = await outcomes.record(answerTo(claim), 'job');
    expect(repeated.kind).toBe('known');
    expect(await childrenOf(claim.version)).toEqual([versionOf(repeated)]);
  });

  test('whose COMMIT never arrived is an unknown outcome too, and repeating it records the child', async () => {
    const { claim, outcomes } = await sent();
    const proxy = await startTcpProxy(database().schema.port);
    const fragile = database().open({ host: '127.0.0.1', port: proxy.port, queryTimeoutMs: 500 });
    const losesCommit = heldBeforeCommit(fragile, () => { proxy.blackHole('both'); });
    await expect(new OutcomeTable(losesCommit, new TokenSealing(clear)).record(answerTo(claim), 'job')).rejects.toThrow(CommitUnknown);
    await proxy.stop();
    const repeated = await outcomes.record(answerTo(claim), 'job');
    expect(repeated.kind).toBe('recorded');
    expect(await childrenOf(claim.version)).toEqual([versionOf(repeated)]);
  });

  test('works on a row that lost the mark that its request was sent, as in a failover: the answer proves it', async () => {
    const { outcomes, claim } = await sent();
    await database().rows.query("UPDATE tsttoken SET state = 'claimed' WHERE tokendid = ?", [claim.version]);
    expect(await outcomes.record(answerTo(claim), 'job')).toMatchObject({ kind: 'recorded' });
  });

  test('of an attempt that was given back, or of a row that is not there, is superseded', async () => {
    const given = await sent();
    await given.outcomes.release(release(given));
    expect(await given.outcomes.record(answerTo(given.claim), 'job')).toEqual({ kind: 'superseded' });
    expect(await given.outcomes.record(answerTo({ ...given.claim, version: 2_000_000_000 }), 'job')).toEqual({ kind: 'superseded' });
    expect(await childrenOf(given.claim.version)).toEqual([]);
  });

  test('of a row that was taken out of the pool meanwhile brings no token into it', async () => {
    const { outcomes, claim } = await sent();
    await database().rows.query('UPDATE tsttoken SET isvalid = 0 WHERE tokendid = ?', [claim.version]);
    expect(await outcomes.record(answerTo(claim), 'job')).toEqual({ kind: 'superseded' });
    expect(await childrenOf(claim.version)).toEqual([]);
    expect(await isSpent(claim)).toBe(true);
  });

  test('frees the fingerprint of a refresh token that stays valid: the answer left it out, or gave the same', async () => {
    for (const same of [false, true]) {
      const { claims, outcomes, token, claim } = await sent({ columns: { refreshtoken: `rt-kept-${newAttempt()}\n` } });
      const result = await outcomes.record(answerTo(claim, { refreshToken: same ? token.refreshToken : null }), 'job');
      const child = await database().token(versionOf(result));
      expect(child.refreshToken?.reveal()).toBe(token.refreshToken?.reveal());
      expect(await isSpent(claim)).toBe(false);
      expect(await claims.claim(child, { ...claim, version: child.version, attempt: newAttempt() })).toBe('claimed');
    }
  });

  test('keeps the fingerprint of a refresh token that was replaced: it can never be claimed again', async () => {
    const { claims, outcomes, token, claim } = await sent();
    await outcomes.record(answerTo(claim), 'job');
    expect(await isSpent(claim)).toBe(true);
    const copy = await database().token(await database().addToken(token.ownerDid, { refreshtoken: token.refreshToken?.reveal() ?? '' }));
    expect(await claims.claim(copy, { ...claim, version: copy.version, attempt: newAttempt() })).toBe('spent');
  });

  test('seals the secrets of the child to its own id, and the client authentication with them', async () => {
    const ring = ringOf('a');
    const { outcomes, token, claim } = await sent({ ring });
    const version = versionOf(await outcomes.record(answerTo(claim), 'job'));
    const row = await database().row(version);
    expect(ring.unseal(String(row['accesstoken']), `tsttoken:${String(version)}:accesstoken`)).toBe(`new-at-${claim.attempt}`);
    expect(ring.unseal(String(row['refreshtoken']), `tsttoken:${String(version)}:refreshtoken`)).toBe(`new-rt-${claim.attempt}`);
    expect(ring.unseal(String(row['tokenauth']), `tsttoken:${String(version)}:tokenauth`)).toBe(token.auth.reveal());
    for (const column of ['accesstoken', 'refreshtoken', 'tokenauth']) expect(row[column]).toMatch(/^sealed:v1:a:/);
    expect(() => ring.unseal(String(row['accesstoken']), `tsttoken:${String(token.version)}:accesstoken`)).toThrow();
  });

  test('takes access and refresh tokens of 8 KB, sealed', async () => {
    const { outcomes, claim } = await sent({ ring: ringOf('a') });
    const long = 'x'.repeat(8192);
    const version = versionOf(await outcomes.record(answerTo(claim, { accessToken: new Secret(`${long}-at`), refreshToken: new Secret(`${long}-rt`) }), 'job'));
    const read = new TokenSealing(ringOf('a')).read(version, (await database().row(version)) as never);
    expect(read.accesstoken?.reveal()).toBe(`${long}-at`);
    expect(read.refreshtoken?.reveal()).toBe(`${long}-rt`);
  });

  test('writes the history in the old words: 2000/4001, 2001/4002, 2002/4003, and no token in it', async () => {
    const { outcomes, token, claim } = await sent();
    const job = `history:${claim.attempt}`;
    const version = versionOf(await outcomes.record(answerTo(claim), job));
    const rows = await database().select('SELECT event, status, text FROM tstevent WHERE jobname = ? ORDER BY eventdid', job);
    expect(rows).toEqual([
      { event: '2000', status: '4001', text: `token ${String(token.version)} was refreshed` },
      { event: '2001', status: '4002', text: `token ${String(token.version)} was replaced by token ${String(version)}` },
      { event: '2002', status: '4003', text: `token ${String(version)} was saved` },
    ]);
  });

  test('of many tokens of one owner at once meets no deadlock', async () => {
    const ownerDid = await database().addOwner({ reattmptcount: 5 });
    for (let round = 0; round < 4; round++) {
      const many: Sent[] = [];
      while (many.length < 8) many.push(await sent({ ownerDid, columns: { retrycount: 5 } }));
      const errors: string[] = [];
      const db = database().open({ connectionLimit: 8, observe: (operation, _seconds, ok) => { if (!ok) errors.push(operation); } });
      const outcomes = new OutcomeTable(db, new TokenSealing(clear));
      const results = await Promise.allSettled(many.map(({ claim }) => outcomes.record(answerTo(claim), 'job')));
      expect(results.filter(({ status }) => status === 'rejected')).toEqual([]);
      expect(errors).toEqual([]);
    }
    expect(await retryCountOf(ownerDid)).toBe(0);
  });
});

describe('releasing a row', () => {
  test.each(['idle', 'stopped', 'dead'] as const)('to %s ends the attempt, keeps its plan and failures, and frees the refresh token', async (state) => {
    const attempt = await sent();
    expect(await attempt.outcomes.release(release(attempt, { state, retryCount: 2, event: { ...failed, job: attempt.claim.attempt } }))).toBe(true);
    expect(await database().row(attempt.claim.version)).toMatchObject({ state, attempt: null, retrycount: 2, dueat: 4711, valid: 1 });
    expect(await isSpent(attempt.claim)).toBe(false);
    expect(await database().select('SELECT event, status, text FROM tstevent WHERE jobname = ?', attempt.claim.attempt)).toEqual([{ event: '2000', status: '4000', text: 'it failed' }]);
  });

  test('works on a claim that was never sent, and on one marked as in doubt meanwhile', async () => {
    const doubtful = await sent();
    await doubtful.claims.markInDoubt(doubtful.claim.version, doubtful.claim.attempt, failed);
    expect(await doubtful.outcomes.release(release(doubtful))).toBe(true);
    expect(await database().row(doubtful.claim.version)).toMatchObject({ state: 'idle' });
    const again: Sent = { ...doubtful, claim: { ...doubtful.claim, attempt: newAttempt() } };
    expect(await again.claims.claim(await database().token(again.claim.version), again.claim)).toBe('claimed');
    expect(await again.outcomes.release(release(again))).toBe(true);
  });

  test('is refused where another attempt holds it, or none, and then changes and writes nothing', async () => {
    const attempt = await sent();
    const event = { ...failed, job: attempt.claim.attempt };
    expect(await attempt.outcomes.release(release(attempt, { attempt: newAttempt(), event }))).toBe(false);
    expect(await database().row(attempt.claim.version)).toMatchObject({ state: 'sending', attempt: attempt.claim.attempt });
    await attempt.outcomes.record(answerTo(attempt.claim), 'job');
    expect(await attempt.outcomes.release(release(attempt, { event }))).toBe(false);
    expect(await isSpent(attempt.claim)).toBe(true);
    expect(await database().select('SELECT 1 FROM tstevent WHERE jobname = ?', attempt.claim.attempt)).toEqual([]);
  });

  test('of a token that had been in doubt leaves the doubt: written once by word of a failure, and by a claim given back unsent', async () => {
    const first = await sent({ owner: { providerpolicy: 'grace', gracems: 60_000 } });
    const unsent: Sent = { ...first, claim: { ...first.claim, attempt: newAttempt() } };
    const { version } = first.claim;
    expect(await first.claims.claimAgain(await database().token(version), unsent.claim)).toBe('claimed');
    const { uc } = await database().token(version);
    expect(await unsent.outcomes.release(release(unsent, { isUnsent: true }))).toBe(true);
    expect(await database().token(version)).toMatchObject({ state: 'in_doubt', uc: uc + 1 });
    await markSending(database().db, unsent.claim);
    expect(await unsent.outcomes.release(release(unsent))).toBe(true);
    expect(await unsent.outcomes.release(release(unsent))).toBe(false);
    expect(await database().token(version)).toMatchObject({ state: 'in_doubt', attempt: unsent.claim.attempt });
  });

  test('lets a refresh token asked for again at a provider that does not rotate be idle and stopped like any other', async () => {
    const first = await sent({ owner: { providerpolicy: 'non_rotating' } });
    const second: Sent = { ...first, claim: { ...first.claim, attempt: newAttempt() } };
    await first.claims.claimAgain(await database().token(first.claim.version), second.claim);
    await markSending(database().db, second.claim);
    expect(await second.outcomes.release(release(second, { state: 'stopped' }))).toBe(true);
    expect(await database().row(first.claim.version)).toMatchObject({ state: 'stopped', attempt: null });
  });
});

describe('reattmptcount of the owner', () => {
  test('mirrors the highest count of failures among its valid tokens, and is 0 after a success', async () => {
    const a = await sent();
    const { ownerDid } = a.claim;
    await a.outcomes.release(release(a, { retryCount: 3 }));
    const b = await sent({ ownerDid, columns: { tokenauth: 'b3RoZXI6c2VjcmV0' } });
    await b.outcomes.release(release(b, { retryCount: 2 }));
    expect(await retryCountOf(ownerDid)).toBe(3);
    for (const [expected, { claims, outcomes, claim }] of [[2, a], [0, b]] as const) {
      const again = { ...claim, attempt: newAttempt(), epoch: await new TermTable(database().db, 'node-a').begin(1000) };
      expect(await claims.claim(await database().token(claim.version), again)).toBe('claimed');
      await markSending(database().db, again);
      expect(await outcomes.record(answerTo(again), 'job')).toMatchObject({ kind: 'recorded' });
      expect(await retryCountOf(ownerDid)).toBe(expected);
    }
  });
});

test('an outage of the database is StoreUnavailable, and the answer can be recorded when it is back', async () => {
  const { claim, outcomes } = await sent();
  const proxy = await startTcpProxy(database().schema.port);
  const fragile = new OutcomeTable(database().open({ host: '127.0.0.1', port: proxy.port, queryTimeoutMs: 500 }), new TokenSealing(clear));
  await proxy.cut();
  await expect(fragile.record(answerTo(claim), 'job')).rejects.toThrow(StoreUnavailable);
  await proxy.restore();
  expect(await fragile.record(answerTo(claim), 'job')).toMatchObject({ kind: 'recorded' });
  expect(await outcomes.record(answerTo(claim), 'job')).toMatchObject({ kind: 'known' });
  await proxy.stop();
});
