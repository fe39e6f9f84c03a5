import { setTimeout as delay } from 'node:timers/promises';

import { beforeEach, describe, expect, test } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import type { Owner } from '../../src/domain/owner.ts';
import type { KnownFailure, UnusedEnd } from '../../src/domain/refresh-outcome.ts';
import { CommitUnknown, StoreUnavailable } from '../../src/domain/errors.ts';
import { sealPending } from '../../src/journal/kept-answer.ts';
import { PendingRedeemer } from '../../src/leader/pending-redeemer.ts';
import { markSending } from '../../src/mysql/mark-sending.ts';
import { OutcomeTable } from '../../src/mysql/outcomes.ts';
import { TokenSealing } from '../../src/mysql/token-sealing.ts';
import { liveView } from '../../src/pool/live-view.ts';
import { AnswerRedeemer } from '../../src/pool/redeem-answer.ts';
import { EndRedeemer } from '../../src/pool/redeem-end.ts';
import type { Subject } from '../../src/pool/refresh-subject.ts';
import { ClaimReturner } from '../../src/pool/give-back.ts';
import { FailureSettler } from '../../src/pool/settle-failure.ts';
import { Limiter } from '../../src/runtime/limiter.ts';
import { Metrics } from '../../src/runtime/metrics.ts';
import { useRedis } from '../harness/redis.ts';
import { newAttempt, ringOf, silent, useTokenDatabase, type Columns } from '../mysql/token-database.ts';
import { verbsOn, type VerbsOnStores } from '../pool/verbs-on-stores.ts';
import { useClients } from '../redis/clients.ts';

const database = useTokenDatabase();
const redis = useRedis();
const connect = useClients();
const metrics = new Metrics({ version: 'test', runtime: false });
const { signal } = new AbortController();
let verbs: VerbsOnStores;

beforeEach(async () => {
  verbs = await verbsOn({ database: database(), redisUrl: redis().url, connect });
});

function pendingRedeemer({ redeemer = verbs.redeemer, endRedeemer = verbs.endRedeemer } = {}): PendingRedeemer {
  return new PendingRedeemer(verbs.pending, redeemer, endRedeemer, verbs.attempts, verbs.transit, silent, metrics);
}

interface Kept {
  readonly version: number;
  readonly attempt: string;
  readonly ownerDid: number;
}

/** An attempt whose answer, or whose end, is kept in Redis and nowhere else. */
async function keptInRedis(owner: Columns = {}, end?: UnusedEnd): Promise<Kept> {
  const attempt = newAttempt();
  const { terms, claims, pending, clock, transit } = verbs;
  const ownerDid = await database().addOwner(owner);
  const token = await database().token(await database().addToken(ownerDid));
  const claim = { version: token.version, ownerDid, attempt, epoch: await terms.begin(10_000) };
  expect(await claims.claim(token, claim)).toBe('claimed');
  expect(await markSending(database().db, claim)).toBe(true);
  const asked = { attempt, version: token.version, ownerDid, issuedAt: Math.floor(clock.now()) };
  const granted = { accessToken: new Secret(`at-${attempt}`), refreshToken: new Secret(`rt-${attempt}`), validityMs: 3_600_000 };
  await pending.put(attempt, sealPending(end ? { ...asked, end } : { ...asked, ...granted }, transit));
  return { version: token.version, attempt, ownerDid };
}

/** Writes the first release and does not come to know of it. */
function unsureOutcomes(): OutcomeTable {
  let isUnknown = true;
  return Object.assign(Object.create(verbs.outcomes) as OutcomeTable, {
    release: async (...args: Parameters<OutcomeTable['release']>) => {
      const released = await verbs.outcomes.release(...args);
      if (!isUnknown) return released;
      isUnknown = false;
      throw new CommitUnknown();
    },
  });
}

test('an answer that another node kept becomes a token, and is then no longer pending', async () => {
  const { version } = await keptInRedis();
  await pendingRedeemer().redeemAll(signal);
  expect(await database().select('SELECT 1 FROM tsttoken WHERE parenttokendid = ?', version)).toHaveLength(1);
  expect(await verbs.pending.all()).toEqual({});
});

test('what a killed master left is recorded several at a time: what is due waits for it', async () => {
  const kept = [];
  for (let index = 0; index < 12; index++) kept.push(await keptInRedis());
  let [atOnce, most] = [0, 0];
  const slow = Object.assign(Object.create(verbs.redeemer) as AnswerRedeemer, {
    redeem: async (...args: Parameters<AnswerRedeemer['redeem']>) => {
      most = Math.max(most, ++atOnce);
      await delay(20);
      return verbs.redeemer.redeem(...args).finally(() => atOnce--);
    },
  });
  await pendingRedeemer({ redeemer: slow }).redeemAll(signal);
  expect(await verbs.pending.all()).toEqual({});
  for (const { version } of kept) expect((await database().row(version))['valid']).toBe(0);
  expect(most).toBe(5);
});

test('an answer that the record refuses stays pending and holds up no other', async () => {
  const kept = [await keptInRedis(), await keptInRedis(), await keptInRedis()] as const;
  const refused = Object.keys(await verbs.pending.all())[0] ?? '';
  await database().rows.query("UPDATE tsttoken SET refreshtoken = 'sealed:v1:unknown:AAAA' WHERE attempt = ?", [refused]);
  await pendingRedeemer().redeemAll(signal);
  const recorded = await database().select('SELECT parenttokendid AS parent FROM tsttoken WHERE parenttokendid IN (?, ?, ?)', ...kept.map(({ version }) => version));
  expect(recorded).toHaveLength(2);
  expect(Object.keys(await verbs.pending.all())).toEqual([refused]);
});

test('while the record is away a round is not held up: the answers stay pending for the next', async () => {
  const { attempt } = await keptInRedis();
  const { host, user, password, schema } = database().schema;
  const away = database().open({ host, port: 1, user, password: new Secret(password), schema });
  const { owners, tokens, outcomes, pending, publisher, scheduler, clock, lapses } = verbs;
  const redeemer = new AnswerRedeemer({ db: away, owners, tokens, outcomes, pending, publisher, scheduler, clock, logger: silent, databaseShare: new Limiter(1), lapses, defaultLifetimeMs: undefined });
  await expect(pendingRedeemer({ redeemer }).redeemAll(signal)).rejects.toBeInstanceOf(StoreUnavailable);
  expect(Object.keys(await verbs.pending.all())).toEqual([attempt]);
});

describe('word that a refresh token was not used, from a node that has ended', () => {
  const unavailable: KnownFailure = { kind: 'unavailable', status: 503, retryAfterMs: null, detail: 'status 503' };
  const invalidGrant: KnownFailure = { kind: 'invalid_grant', status: 400, detail: 'status 400, invalid_grant' };
  const invalidClient: KnownFailure = { kind: 'invalid_client', status: 401, detail: 'status 401' };
  const doubt = { job: 'j', event: '2001', status: '4010', text: '' } as const;

  async function ownerOf({ ownerDid }: Kept): Promise<Owner> {
    const owner = await verbs.owners.byDid(database().db, ownerDid);
    if (!owner) throw new Error('no owner');
    return owner;
  }

  /** Releases that meet a database that is away, once, and from then on the one that is there. */
  function awayAtFirst(): OutcomeTable {
    const { host, user, password, schema } = database().schema;
    let table = new OutcomeTable(database().open({ host, port: 1, user, password: new Secret(password), schema }), new TokenSealing(ringOf()));
    return Object.assign(Object.create(verbs.outcomes) as OutcomeTable, {
      release: async (...args: Parameters<OutcomeTable['release']>) => {
        const now = table;
        table = verbs.outcomes;
        return now.release(...args);
      },
    });
  }

  /** Settles failures while the database goes away in the middle of it, in two rounds. */
  async function redeemedInTwoRounds(): Promise<void> {
    const failures = new FailureSettler({ ...verbs, logger: silent, outcomes: awayAtFirst() });
    const redeemer = pendingRedeemer({ endRedeemer: new EndRedeemer({ ...verbs, failures }) });
    await expect(redeemer.redeemAll(signal)).rejects.toBeInstanceOf(StoreUnavailable);
    expect(Object.keys(await verbs.pending.all())).toHaveLength(1);
    await redeemer.redeemAll(signal);
  }

  test('has the token tried again, people told and callers given it back', async () => {
    const kept = await keptInRedis({ retrymax: 3 }, unavailable);
    const { version } = kept;
    const owner = await ownerOf(kept);
    const token = await database().token(version);
    await verbs.publisher.publish(owner.id, { ...liveView(owner, token, [token], verbs.clock.now()), phase: 'withdrawn' });
    await pendingRedeemer().redeemAll(signal);
    expect(await database().row(version)).toMatchObject({ state: 'idle', attempt: null, retrycount: 1, valid: 1 });
    expect(Number((await database().row(version))['dueat'])).toBeGreaterThan(verbs.clock.now());
    expect(verbs.alarms.heard).toMatchObject([{ failure: { kind: 'unavailable' }, next: { step: 'retry' } }]);
    expect(await verbs.livePool.tokensOf(owner.id)).toMatchObject([{ version, phase: 'ready' }]);
    expect(await verbs.pending.all()).toEqual({});
  });

  test('ends a doubt that was told before it came', async () => {
    const { version, attempt } = await keptInRedis({}, unavailable);
    expect(await verbs.claims.markInDoubt(version, attempt, doubt)).toBe(true);
    await pendingRedeemer().redeemAll(signal);
    expect(await database().row(version)).toMatchObject({ state: 'idle', attempt: null });
  });

  test('is dropped where the row has moved on, and nobody is told', async () => {
    const { version, attempt } = await keptInRedis({}, unavailable);
    await database().rows.query("UPDATE tsttoken SET state = 'sending', attempt = ? WHERE tokendid = ?", [newAttempt(), version]);
    await pendingRedeemer().redeemAll(signal);
    expect(await database().row(version)).toMatchObject({ state: 'sending', retrycount: 0 });
    expect((await database().row(version))['attempt']).not.toBe(attempt);
    expect([verbs.alarms.heard, await verbs.pending.all()]).toEqual([[], {}]);
  });

  test('says nothing of a request before it: the doubt stays, and is told once', async () => {
    const kept = await keptInRedis({ providerpolicy: 'grace', gracems: 60_000 }, unavailable);
    const { version, attempt } = kept;
    await database().rows.query('UPDATE tstspent SET createdtime = createdtime - INTERVAL 1 SECOND WHERE attempt = ?', [attempt]);
    await pendingRedeemer().redeemAll(signal);
    expect(await database().row(version)).toMatchObject({ state: 'in_doubt', attempt, retrycount: 1 });
    await verbs.endRedeemer.redeem({ ...kept, issuedAt: 0, end: unavailable });
    expect(await database().row(version)).toMatchObject({ state: 'in_doubt', attempt, retrycount: 1 });
    expect(verbs.alarms.heard).toHaveLength(1);
  });

  test('waits for an owner that is made valid again', async () => {
    const { version, attempt, ownerDid } = await keptInRedis({}, unavailable);
    await database().rows.query('UPDATE tsxwho SET isvalid = 0 WHERE tsxwhodid = ?', [ownerDid]);
    await pendingRedeemer().redeemAll(signal);
    expect(Object.keys(await verbs.pending.all())).toEqual([attempt]);
    await database().rows.query('UPDATE tsxwho SET isvalid = 1 WHERE tsxwhodid = ?', [ownerDid]);
    await pendingRedeemer().redeemAll(signal);
    expect([(await database().row(version))['state'], await verbs.pending.all()]).toEqual(['idle', {}]);
  });

  test('is told once where its sender lives and has the same to say', async () => {
    const kept = await keptInRedis({}, unavailable);
    const token = await database().token(kept.version);
    await pendingRedeemer().redeemAll(signal);
    await verbs.failures.settle({ owner: await ownerOf(kept), token, siblings: [token] } as unknown as Subject, { ...kept, epoch: 1 }, unavailable, false);
    expect(verbs.alarms.heard).toHaveLength(1);
    expect((await database().row(kept.version))['retrycount']).toBe(1);
  });

  test('counts once, though the record was lost in the middle of it: a grant that was refused once is not dead', async () => {
    const { version } = await keptInRedis({ retrymax: 5 }, invalidGrant);
    await database().rows.query('UPDATE tsttoken SET retrycount = 1 WHERE tokendid = ?', [version]);
    await redeemedInTwoRounds();
    expect(await database().row(version)).toMatchObject({ state: 'idle', retrycount: 2 });
  });

  function unsureAtFirst(): PendingRedeemer {
    const failures = new FailureSettler({ ...verbs, logger: silent, outcomes: unsureOutcomes() });
    return pendingRedeemer({ endRedeemer: new EndRedeemer({ ...verbs, failures }) });
  }

  test.each([[0, 'stop', 'stopped'], [3, 'retry', 'idle']])('is told of once where nobody knows whether it was committed, when the database is back: with %i retries', async (retrymax, step, state) => {
    const { version } = await keptInRedis({ retrymax }, unavailable);
    const redeemer = unsureAtFirst();
    await expect(redeemer.redeemAll(signal)).rejects.toBeInstanceOf(CommitUnknown);
    expect(verbs.alarms.heard).toEqual([]);
    for (let round = 0; round < 2; round++) await redeemer.redeemAll(signal);
    expect(verbs.alarms.heard.map(({ next }) => next.step)).toEqual([step]);
    expect([(await database().row(version))['state'], await verbs.pending.all()]).toEqual([state, {}]);
  });

  test('is told of once too where a request before it leaves the token in doubt', async () => {
    const { attempt, version } = await keptInRedis({ providerpolicy: 'grace', gracems: 60_000 }, unavailable);
    await database().rows.query('UPDATE tstspent SET createdtime = createdtime - INTERVAL 1 SECOND WHERE attempt = ?', [attempt]);
    const redeemer = unsureAtFirst();
    await expect(redeemer.redeemAll(signal)).rejects.toBeInstanceOf(CommitUnknown);
    for (let round = 0; round < 2; round++) await redeemer.redeemAll(signal);
    expect(verbs.alarms.heard).toHaveLength(1);
    expect(await database().row(version)).toMatchObject({ state: 'in_doubt', attempt, retrycount: 1 });
    expect(await verbs.pending.all()).toEqual({});
  });

  test('that its client is refused is told, and holds no other token: the credentials may be right by now', async () => {
    const kept = await keptInRedis({ retrymax: 0 }, invalidClient);
    await redeemedInTwoRounds();
    expect(await database().row(kept.version)).toMatchObject({ state: 'stopped', retrycount: 1 });
    expect(verbs.alarms.heard.map(({ next, isKnown }) => [next.step, isKnown])).toEqual([['stop', undefined]]);
    expect(verbs.holds.admit(await ownerOf(kept), await database().token(kept.version))).toBeUndefined();
  });
});

describe('word that nothing was sent, from a courier whose service has ended', () => {
  const givenBack: UnusedEnd = { kind: 'given_back' };

  test('has the token idle and with callers again: it is no failure, and nobody is told', async () => {
    const { version, ownerDid } = await keptInRedis({}, givenBack);
    const owner = await verbs.owners.byDid(database().db, ownerDid);
    const token = await database().token(version);
    await verbs.publisher.publish(owner!.id, { ...liveView(owner!, token, [token], verbs.clock.now()), phase: 'withdrawn' });
    await pendingRedeemer().redeemAll(signal);
    expect(await database().row(version)).toMatchObject({ state: 'idle', attempt: null, retrycount: 0, valid: 1 });
    expect(await database().select('SELECT 1 FROM tstspent WHERE tokendid = ?', version)).toEqual([]);
    expect(await verbs.livePool.tokensOf(owner!.id)).toMatchObject([{ version, phase: 'ready' }]);
    expect([verbs.alarms.heard, await verbs.pending.all()]).toEqual([[], {}]);
  });

  test('ends no doubt that is older: that the token was asked for again and was not says nothing of the first request', async () => {
    const { attempt, version } = await keptInRedis({ providerpolicy: 'grace', gracems: 60_000 }, givenBack);
    await database().rows.query('UPDATE tstspent SET createdtime = createdtime - INTERVAL 1 SECOND WHERE attempt = ?', [attempt]);
    const before = await database().row(version);
    await pendingRedeemer().redeemAll(signal);
    expect(await database().row(version)).toEqual(before);
    expect(before).toMatchObject({ state: 'sending', attempt });
    expect(await database().select('SELECT 1 FROM tstspent WHERE tokendid = ?', version)).toHaveLength(1);
    expect(await verbs.pending.all()).toEqual({});
  });

  test('has callers get the token where nobody knew whether it was committed, one round later', async () => {
    const { version, ownerDid } = await keptInRedis({}, givenBack);
    const owner = await verbs.owners.byDid(database().db, ownerDid);
    const token = await database().token(version);
    await verbs.publisher.publish(owner!.id, { ...liveView(owner!, token, [token], verbs.clock.now()), phase: 'withdrawn' });
    const returner = new ClaimReturner({ ...verbs, outcomes: unsureOutcomes(), logger: silent });
    const redeemer = pendingRedeemer({ endRedeemer: new EndRedeemer({ ...verbs, returner }) });
    await expect(redeemer.redeemAll(signal)).rejects.toBeInstanceOf(CommitUnknown);
    expect(await verbs.livePool.tokensOf(owner!.id)).toMatchObject([{ version, phase: 'withdrawn' }]);
    await redeemer.redeemAll(signal);
    expect(await verbs.livePool.tokensOf(owner!.id)).toMatchObject([{ version, phase: 'ready' }]);
    expect(await verbs.pending.all()).toEqual({});
  });

  test('is dropped where the next attempt has begun', async () => {
    const { version } = await keptInRedis({}, givenBack);
    const next = newAttempt();
    await database().rows.query('UPDATE tsttoken SET attempt = ? WHERE tokendid = ?', [next, version]);
    await pendingRedeemer().redeemAll(signal);
    expect(await database().row(version)).toMatchObject({ state: 'sending', attempt: next });
    expect(await verbs.pending.all()).toEqual({});
  });
});
