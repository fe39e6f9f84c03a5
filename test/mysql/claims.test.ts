import { describe, expect, test } from 'vitest';

import type { HistoryEvent } from '../../src/domain/event.ts';
import { Secret } from '../../src/domain/secret.ts';
import type { Token } from '../../src/domain/token.ts';
import { ClaimTable, type Claim } from '../../src/mysql/claims.ts';
import type { Database } from '../../src/mysql/connection.ts';
import { markSending } from '../../src/mysql/mark-sending.ts';
import { OutcomeTable, type NewToken } from '../../src/mysql/outcomes.ts';
import { TermTable } from '../../src/mysql/terms.ts';
import { TokenSealing } from '../../src/mysql/token-sealing.ts';
import { clear, heldBeforeCommit, newAttempt, prints, useTokenDatabase, type Columns } from './token-database.ts';

const database = useTokenDatabase();
const toldDoubt: HistoryEvent = { job: 'owner:o token:1', event: '2000', status: '4010', text: 'in_doubt: no whole answer' };

function claimsOf(db: Database, node = 'node-a'): ClaimTable {
  return new ClaimTable(db, prints, node);
}

async function begin(db: Database): Promise<number> {
  return new TermTable(db, 'node-a').begin(10_000);
}

/** A token of an owner of its own, a term, and a claim on the token that is not made yet. */
async function arrange(owner: Columns = {}, token: Columns = {}): Promise<{ db: Database; claims: ClaimTable; token: Token; claim: Claim }> {
  const { db } = database();
  const ownerDid = await database().addOwner(owner);
  const version = await database().addToken(ownerDid, token);
  const epoch = await begin(db);
  return { db, claims: claimsOf(db), token: await database().token(version), claim: { version, ownerDid, attempt: newAttempt(), epoch } };
}

function again(claim: Claim): Claim {
  return { ...claim, attempt: newAttempt() };
}

function answerTo({ version, attempt }: Claim): NewToken {
  return { version, attempt, accessToken: new Secret(`at-${attempt}`), refreshToken: new Secret(`rt-${attempt}`), validityMs: null, issuedAt: Date.now(), dueAt: () => 1 };
}

async function spentBy(version: number): Promise<string[]> {
  return (await database().select('SELECT attempt FROM tstspent WHERE tokendid = ?', version)).map((row) => String(row['attempt']));
}

describe('a claim', () => {
  test('is held by the row and binds the fingerprint of the refresh token, which is not the token', async () => {
    const { claims, token, claim } = await arrange();
    expect(await claims.claim(token, claim)).toBe('claimed');
    const row = await database().row(token.version);
    expect(row).toMatchObject({ state: 'claimed', attempt: claim.attempt, attemptepoch: claim.epoch, attemptnode: 'node-a', uc: token.uc + 1, valid: 1 });
    const [spent] = await database().select('SELECT fingerprint, epoch FROM tstspent WHERE attempt = ?', claim.attempt);
    expect(spent).toEqual({ fingerprint: prints.ofRefreshToken(token.refreshToken ?? new Secret('')), epoch: claim.epoch });
  });

  test('of many made at once, on a connection each, is won by exactly one', async () => {
    const { token, claim } = await arrange();
    const rivals = Array.from({ length: 5 }, () => database().open({ connectionLimit: 4 }));
    for (let round = 0; round < 4; round++) {
      const fresh = await database().token(await database().addToken(token.ownerDid));
      const results = await Promise.all(rivals.flatMap((db) => Array.from({ length: 4 }, () => claimsOf(db).claim(fresh, { ...again(claim), version: fresh.version }))));
      expect(results.filter((result) => result === 'claimed')).toHaveLength(1);
      expect(results.filter((result) => result === 'stale')).toHaveLength(19);
      expect(await spentBy(fresh.version)).toHaveLength(1);
    }
  });

  test('on a refresh token that stands in a second row too is refused as spent, and leaves that row as it was', async () => {
    const { claims, token, claim } = await arrange();
    const twinVersion = await database().addToken(token.ownerDid, { refreshtoken: ` ${token.refreshToken?.reveal() ?? ''} `, tokenauth: 'b3RoZXI6c2VjcmV0' });
    const twin = await database().token(twinVersion);
    expect(await claims.claim(token, claim)).toBe('claimed');
    expect(await claims.claim(twin, { ...again(claim), version: twinVersion })).toBe('spent');
    expect(await database().row(twinVersion)).toMatchObject({ state: 'idle', attempt: null, uc: twin.uc });
  });

  test('on a refresh token that stands in the row of another owner too is refused as spent', async () => {
    const { claims, token, claim } = await arrange();
    const otherOwner = await database().addOwner();
    const version = await database().addToken(otherOwner, { refreshtoken: token.refreshToken?.reveal() ?? '' });
    expect(await claims.claim(token, claim)).toBe('claimed');
    expect(await claims.claim(await database().token(version), { ...again(claim), version, ownerDid: otherOwner })).toBe('spent');
  });

  test('of two made at once on rows with the same refresh token is won by one', async () => {
    const { db, token, claim } = await arrange();
    const results: string[] = [];
    for (let round = 0; round < 5; round++) {
      const rt = `rt-shared-${newAttempt()}`;
      const versions = await Promise.all([0, 1].map(() => database().addToken(token.ownerDid, { refreshtoken: rt })));
      const twins = await Promise.all(versions.map((version) => database().token(version)));
      results.push(...(await Promise.all(twins.map((twin) => claimsOf(db).claim(twin, { ...again(claim), version: twin.version })))));
    }
    expect(results.sort()).toEqual([...Array<string>(5).fill('claimed'), ...Array<string>(5).fill('spent')]);
  });

  test('with an attempt id that another row holds is an error, and does not count as a spent refresh token', async () => {
    const { claims, token, claim } = await arrange();
    await claims.claim(token, claim);
    const other = await database().token(await database().addToken(token.ownerDid));
    await expect(claims.claim(other, { ...claim, version: other.version })).rejects.toThrow('claims.claim');
    expect(await database().row(other.version)).toMatchObject({ state: 'idle', attempt: null });
  });

  test('by a view of the row that is out of date is refused as stale', async () => {
    const { claims, token, claim } = await arrange();
    await database().rows.query('UPDATE tsttoken SET uc = uc + 1 WHERE tokendid = ?', [token.version]);
    expect(await claims.claim(token, claim)).toBe('stale');
    expect(await spentBy(token.version)).toEqual([]);
    expect(await claims.claim(await database().token(token.version), claim)).toBe('claimed');
  });

  test('works on a row whose update count is NULL, as old inserts leave it', async () => {
    const { claims, token, claim } = await arrange({}, { uc: null });
    expect(token.uc).toBe(0);
    expect(await claims.claim(token, claim)).toBe('claimed');
    expect(await database().row(token.version)).toMatchObject({ uc: 1 });
  });

  test.each(['claimed', 'sending', 'in_doubt', 'stopped', 'dead'])('on a row that is %s is refused as stale', async (state) => {
    const { claims, token, claim } = await arrange({}, { state, attempt: newAttempt() });
    expect(await claims.claim(token, claim)).toBe('stale');
    expect(await spentBy(token.version)).toEqual([]);
  });

  test('on a row that was replaced, or has no refresh token, is refused as stale', async () => {
    const { claims, token, claim } = await arrange();
    const bare = await database().token(await database().addToken(token.ownerDid, { refreshtoken: null }));
    expect(await claims.claim(bare, { ...claim, version: bare.version })).toBe('stale');
    await database().rows.query('UPDATE tsttoken SET isvalid = 0 WHERE tokendid = ?', [token.version]);
    expect(await claims.claim(token, claim)).toBe('stale');
  });
});

describe('the epoch', () => {
  test('fences a claim of an earlier term, and of one that never was', async () => {
    const { db, claims, token, claim } = await arrange();
    const later = await begin(db);
    expect(await claims.claim(token, claim)).toBe('fenced');
    expect(await claims.claim(token, { ...claim, epoch: later + 1 })).toBe('fenced');
    expect(await database().row(token.version)).toMatchObject({ state: 'idle', attempt: null });
    expect(await spentBy(token.version)).toEqual([]);
  });

  test('cannot be raised between the look at it and the commit of a claim: the new term waits', async () => {
    const { db, token, claim } = await arrange();
    const order: string[] = [];
    const ready = Promise.withResolvers<undefined>();
    const gate = Promise.withResolvers<undefined>();
    const held = heldBeforeCommit(db, async () => {
      ready.resolve(undefined);
      await gate.promise;
      order.push('claim commits');
    });
    const claiming = claimsOf(held).claim(token, claim);
    await ready.promise;
    const raising = begin(db).then((epoch) => {
      order.push('term begins');
      return epoch;
    });
    await database().untilOneWaits();
    gate.resolve(undefined);
    expect(await claiming).toBe('claimed');
    expect(await raising).toBe(claim.epoch + 1);
    expect(order).toEqual(['claim commits', 'term begins']);
  });

  test('that is being raised makes a claim of the old term wait, and fences it', async () => {
    const { claims, token, claim } = await arrange();
    const other = await database().schema.connect();
    await other.query('START TRANSACTION');
    await other.query('UPDATE tstepoch SET epoch = epoch + 1 WHERE id = 1');
    const claiming = claims.claim(token, claim);
    await database().untilOneWaits();
    await other.query('COMMIT');
    expect(await claiming).toBe('fenced');
    expect(await spentBy(token.version)).toEqual([]);
  });

  test('fences claiming again a token in doubt', async () => {
    const { db, claims, token, claim } = await arrange({ providerpolicy: 'non_rotating' });
    await claims.claim(token, claim);
    await markSending(database().db, claim);
    await begin(db);
    expect(await claims.claimAgain(await database().token(token.version), again(claim))).toBe('fenced');
    expect(await database().row(token.version)).toMatchObject({ state: 'sending', attempt: claim.attempt });
  });
});

describe('taking a claim back', () => {
  test('leaves its holder unable to send, and the refresh token claimable', async () => {
    const { claims, token, claim } = await arrange();
    await claims.claim(token, claim);
    const held = await database().token(token.version);
    expect(await claims.takeBack(held, 4711)).toBe(true);
    expect(await markSending(database().db, claim)).toBe(false);
    expect(await database().row(token.version)).toMatchObject({ state: 'idle', attempt: null, dueat: 4711 });
    expect(await claims.claim(await database().token(token.version), again(claim))).toBe('claimed');
  });

  test('races the marking as sent, and one of the two wins', async () => {
    const { claims, token, claim } = await arrange();
    for (let round = 0; round < 10; round++) {
      const idle = await database().token(await database().addToken(token.ownerDid));
      const mine = { ...again(claim), version: idle.version };
      await claims.claim(idle, mine);
      const held = await database().token(idle.version);
      const [taken, marked] = await Promise.all([claims.takeBack(held, 1), markSending(database().db, mine)]);
      expect(taken).not.toBe(marked);
      expect(await spentBy(idle.version)).toHaveLength(marked ? 1 : 0);
    }
  });

  test('is impossible once the request may have left: sending and in doubt stay as they are', async () => {
    const { claims, token, claim } = await arrange();
    await claims.claim(token, claim);
    expect(await markSending(database().db, claim)).toBe(true);
    const sending = await database().token(token.version);
    expect(await claims.takeBack(sending, 1)).toBe(false);
    expect(await claims.markInDoubt(token.version, claim.attempt, toldDoubt)).toBe(true);
    expect(await claims.takeBack(await database().token(token.version), 1)).toBe(false);
    expect(await database().row(token.version)).toMatchObject({ state: 'in_doubt', attempt: claim.attempt });
    expect(await spentBy(token.version)).toEqual([claim.attempt]);
  });
});

describe('marking', () => {
  test('as sent succeeds once, for the holder alone', async () => {
    const { claims, token, claim } = await arrange();
    expect(await markSending(database().db, claim)).toBe(false);
    await claims.claim(token, claim);
    expect(await markSending(database().db, again(claim))).toBe(false);
    expect(await markSending(database().db, claim)).toBe(true);
    expect(await markSending(database().db, claim)).toBe(false);
  });

  test('as sent is refused where the fingerprint of the refresh token is not bound to the attempt', async () => {
    const { claims, token, claim } = await arrange();
    await claims.claim(token, claim);
    await database().rows.query('DELETE FROM tstspent WHERE attempt = ?', [claim.attempt]);
    expect(await markSending(database().db, claim)).toBe(false);
    expect(await database().row(token.version)).toMatchObject({ state: 'claimed' });
  });

  test('as in doubt needs a request that was marked as sent', async () => {
    const { claims, token, claim } = await arrange();
    await claims.claim(token, claim);
    expect(await claims.markInDoubt(token.version, claim.attempt, toldDoubt)).toBe(false);
    await markSending(database().db, claim);
    expect(await claims.markInDoubt(token.version, newAttempt(), toldDoubt)).toBe(false);
    expect(await claims.markInDoubt(token.version, claim.attempt, toldDoubt)).toBe(true);
  });

  test('as in doubt is told in the history once, however often it is repeated', async () => {
    const { claims, token, claim } = await arrange();
    await claims.claim(token, claim);
    await markSending(database().db, claim);
    const told = { ...toldDoubt, job: claim.attempt };
    for (let time = 0; time < 2; time++) expect(await claims.markInDoubt(token.version, claim.attempt, told)).toBe(true);
    expect(await database().select('SELECT event, status, text FROM tstevent WHERE jobname = ?', claim.attempt)).toEqual([{ event: toldDoubt.event, status: toldDoubt.status, text: toldDoubt.text }]);
  });

  test('as in doubt is not done where it cannot be told', async () => {
    const { claims, token, claim } = await arrange();
    await claims.claim(token, claim);
    await markSending(database().db, claim);
    const unwritable = { ...toldDoubt, status: 'x'.repeat(101) } as unknown as HistoryEvent;
    await expect(claims.markInDoubt(token.version, claim.attempt, unwritable)).rejects.toThrow();
    expect(await database().row(token.version)).toMatchObject({ state: 'sending' });
  });
});

describe('claiming again', () => {
  async function inDoubt(owner: Columns): Promise<Awaited<ReturnType<typeof arrange>> & { doubtful: Token }> {
    const arranged = await arrange(owner);
    await arranged.claims.claim(arranged.token, arranged.claim);
    await markSending(database().db, arranged.claim);
    await arranged.claims.markInDoubt(arranged.token.version, arranged.claim.attempt, toldDoubt);
    return { ...arranged, doubtful: await database().token(arranged.token.version) };
  }

  /** Makes it so that the refresh token was first sent `ms` earlier than it was. */
  async function age(version: number, ms: number): Promise<void> {
    await database().rows.query('UPDATE tstspent SET createdtime = createdtime - INTERVAL ? MICROSECOND WHERE tokendid = ?', [ms * 1000, version]);
    await database().rows.query('UPDATE tsttoken SET statesince = statesince - INTERVAL ? MICROSECOND WHERE tokendid = ?', [ms * 1000, version]);
  }

  test('binds the fingerprint to the new attempt, whose holder alone may send', async () => {
    const { claims, doubtful, claim } = await inDoubt({ providerpolicy: 'non_rotating' });
    const second = again(claim);
    expect(await claims.claimAgain(doubtful, second)).toBe('claimed');
    expect(await spentBy(claim.version)).toEqual([second.attempt]);
    expect(await markSending(database().db, claim)).toBe(false);
    expect(await markSending(database().db, second)).toBe(true);
  });

  test('supersedes the old holder: its answer no longer lands, before and after the new one does', async () => {
    const { db, claims, doubtful, claim } = await inDoubt({ providerpolicy: 'non_rotating' });
    const outcomes = new OutcomeTable(db, new TokenSealing(clear));
    const second = again(claim);
    await claims.claimAgain(doubtful, second);
    await markSending(database().db, second);
    expect(await outcomes.record(answerTo(claim), 'job')).toEqual({ kind: 'superseded' });
    const recorded = await outcomes.record(answerTo(second), 'job');
    expect(recorded).toMatchObject({ kind: 'recorded' });
    expect(await outcomes.record(answerTo(claim), 'job')).toEqual({ kind: 'superseded' });
    expect(await outcomes.record(answerTo(second), 'job')).toMatchObject({ kind: 'known' });
  });

  test('of many made at once is won by exactly one', async () => {
    const { claims, doubtful, claim } = await inDoubt({ providerpolicy: 'non_rotating' });
    const results = await Promise.all(Array.from({ length: 8 }, () => claims.claimAgain(doubtful, again(claim))));
    expect(results.filter((result) => result === 'claimed')).toHaveLength(1);
  });

  test('is refused where the provider detects the reuse of a refresh token', async () => {
    const { claims, doubtful, claim } = await inDoubt({ providerpolicy: 'reuse_detect' });
    expect(await claims.claimAgain(doubtful, again(claim))).toBe('stale');
    expect(await database().row(claim.version)).toMatchObject({ state: 'in_doubt', attempt: claim.attempt });
  });

  test('counts the window of grace from the first request, however often it was asked again since', async () => {
    const { claims, doubtful, claim } = await inDoubt({ providerpolicy: 'grace', gracems: 10_000 });
    await age(claim.version, 6_000);
    const second = again(claim);
    expect(await claims.claimAgain(doubtful, second)).toBe('claimed');
    await markSending(database().db, second);
    await age(claim.version, 6_000);
    expect(await claims.claimAgain(await database().token(claim.version), again(claim))).toBe('stale');
    expect(await database().row(claim.version)).toMatchObject({ state: 'sending', attempt: second.attempt });
  });

  test('counts the window of grace from the sending, not from a claim that was drained before', async () => {
    const { claims, token, claim } = await arrange({ providerpolicy: 'grace', gracems: 10_000 });
    await claims.claim(token, claim);
    await age(claim.version, 60_000);
    await markSending(database().db, claim);
    expect(await claims.claimAgain(await database().token(claim.version), again(claim))).toBe('claimed');
  });

  test('is never taken back to idle: the first request may have been carried out', async () => {
    const { claims, doubtful, claim } = await inDoubt({ providerpolicy: 'grace', gracems: 60_000 });
    await claims.claimAgain(doubtful, again(claim));
    const held = await database().token(claim.version);
    expect(await claims.takeBack(held, 1)).toBe(false);
    expect(await spentBy(claim.version)).toHaveLength(1);
  });

  test.each(['idle', 'stopped'] as const)('keeps the doubt where the second request is to become %s without an answer: the token may still be used up', async (state) => {
    const { db, claims, doubtful, claim } = await inDoubt({ providerpolicy: 'grace', gracems: 60_000 });
    const second = again(claim);
    await claims.claimAgain(doubtful, second);
    await markSending(database().db, second);
    const outcomes = new OutcomeTable(db, new TokenSealing(clear));
    const event = { job: 'job', event: '2000', status: '4000', text: 'nothing left' } as const;
    expect(await outcomes.release({ version: claim.version, ownerDid: claim.ownerDid, attempt: second.attempt, state, retryCount: 1, dueAt: 1, event })).toBe(true);
    expect(await database().row(claim.version)).toMatchObject({ state: 'in_doubt', attempt: second.attempt, retrycount: 1 });
    expect(await spentBy(claim.version)).toEqual([second.attempt]);
  });
});
