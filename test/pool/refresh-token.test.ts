import { beforeEach, describe, expect, test, vi } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import type { Errand, ErrandAnswer } from '../../src/oauth/errand.ts';
import { readDatabaseTime } from '../../src/mysql/database-time.ts';
import { markSending } from '../../src/mysql/mark-sending.ts';
import { OutcomeTable } from '../../src/mysql/outcomes.ts';
import { TokenSealing } from '../../src/mysql/token-sealing.ts';
import { ClaimReturner } from '../../src/pool/give-back.ts';
import { PoolRecord } from '../../src/pool/pool-record.ts';
import { SubjectReader, type RefreshCause } from '../../src/pool/refresh-subject.ts';
import { TokenRefresher } from '../../src/pool/refresh-token.ts';
import type { Term } from '../../src/pool/term.ts';
import { TurnTaking } from '../../src/pool/turn-taking.ts';
import { Limiter } from '../../src/runtime/limiter.ts';
import { Metrics } from '../../src/runtime/metrics.ts';
import { useRedis } from '../harness/redis.ts';
import { heldBeforeCommit, ringOf, silent, useTokenDatabase } from '../mysql/token-database.ts';
import { useClients } from '../redis/clients.ts';
import { verbsOn, type VerbsOnStores } from './verbs-on-stores.ts';

const database = useTokenDatabase();
const redis = useRedis();
const connect = useClients();
const metrics = new Metrics({ version: 'test', runtime: false });
let verbs: VerbsOnStores;
/** Errands that were posted and are not answered yet. */
let posted: { errand: Errand; answer: (answer: ErrandAnswer) => void }[];

beforeEach(async () => {
  posted = [];
  verbs = await verbsOn({ database: database(), redisUrl: redis().url, connect });
});

function refresherOf(concurrency: number, { outcomes } = verbs): TokenRefresher {
  const post = async (errand: Errand): Promise<ErrandAnswer> => {
    if (!(await markSending(database().db, errand))) return { kind: 'given_back' };
    return new Promise((answer) => posted.push({ errand, answer }));
  };
  const subjects = new SubjectReader({ ...verbs, logger: silent });
  const returner = new ClaimReturner({ ...verbs, outcomes, logger: silent });
  return new TokenRefresher({ ...verbs, returner, subjects, courier: { post }, turns: new TurnTaking(), logger: silent, metrics, retryStatuses: [], concurrency, databaseShare: new Limiter(5) });
}

async function newTerm(): Promise<Term> {
  return { epoch: await verbs.terms.begin(60_000), isTrusted: () => true, signal: new AbortController().signal };
}

async function tokenOf(provider: string): Promise<{ version: number; ownerDid: number }> {
  const ownerDid = await database().addOwner({ tokenurl: `https://${provider}.example/token` });
  return { ownerDid, version: await database().addToken(ownerDid) };
}

function grantedTo({ attempt }: Errand): ErrandAnswer {
  return { kind: 'granted', grant: { accessToken: new Secret(`at-${attempt}`), refreshToken: new Secret(`rt-${attempt}`), validityMs: 60_000 } };
}

async function untilPosted(version: number): Promise<(typeof posted)[number]> {
  return vi.waitUntil(() => posted.find(({ errand }) => errand.version === version), { timeout: 3000, interval: 5 });
}

test('a provider that does not answer takes no more than its share: tokens of another are refreshed meanwhile', async () => {
  const [refresher, term] = [refresherOf(4), await newTerm()];
  const stuck = await Promise.all(Array.from({ length: 8 }, () => tokenOf('frozen')));
  const refreshes = stuck.map(({ version, ownerDid }) => refresher.refresh(version, ownerDid, term, 'due'));
  await vi.waitUntil(() => posted.length >= 2, { timeout: 3000, interval: 5 });
  const { version, ownerDid } = await tokenOf('healthy');
  const refresh = refresher.refresh(version, ownerDid, term, 'due');
  const { errand, answer } = await untilPosted(version);
  answer(grantedTo(errand));
  expect(await refresh).toMatchObject({ kind: 'refreshed' });
  const stillFrozen = posted.filter(({ errand: { version: other } }) => other !== version);
  expect(stillFrozen).toHaveLength(3);
  for (let ended = 0; ended < stuck.length; ended++) {
    const { answer: end } = await vi.waitUntil(() => posted.filter(({ errand: { version: other } }) => other !== version)[ended], { timeout: 3000, interval: 5 });
    end({ kind: 'unreachable', detail: 'it was frozen' });
  }
  await Promise.all(refreshes);
  expect(posted).toHaveLength(9);
});

test('a refresh that still waits for a place when the term ends is given back unsent, and may be claimed again', async () => {
  const ending = new AbortController();
  const [refresher, term] = [refresherOf(1), { ...(await newTerm()), signal: ending.signal }];
  const [first, second] = [await tokenOf('slow'), await tokenOf('slow')];
  const sent = refresher.refresh(first.version, first.ownerDid, term, 'due');
  const { errand, answer } = await untilPosted(first.version);
  const waiting = refresher.refresh(second.version, second.ownerDid, term, 'due');
  await vi.waitUntil(async () => (await metrics.expose()).includes('refreshes_running 2'), { timeout: 3000, interval: 5 });
  ending.abort();
  answer(grantedTo(errand));
  expect(await sent).toMatchObject({ kind: 'refreshed' });
  expect(await waiting).toEqual({ kind: 'skipped', reason: 'given_back' });
  expect(posted).toHaveLength(1);
  expect(await database().row(second.version)).toMatchObject({ state: 'idle', attempt: null });
});

describe('a token that was withdrawn and whose claim is given back is with callers though MySQL does not say so', () => {
  /** @param sent whether a request was sent before, and its answer is missing */
  async function givenBack(cause: RefreshCause, sent: boolean): Promise<void> {
    const ownerId = `gives back ${cause}`;
    const ownerDid = await database().addOwner({ ownerid: ownerId, providerpolicy: 'non_rotating' });
    const version = await database().addToken(ownerDid);
    const [term, ending] = [await newTerm(), new AbortController()];
    if (sent) void refresherOf(4).refresh(version, ownerDid, term, 'due');
    if (sent) await untilPosted(version);
    await database().addToken(ownerDid, { tokenauth: 'b3RoZXI6c2VjcmV0' });
    const { promise: committed, resolve: commit } = Promise.withResolvers<undefined>();
    const outcomes = new OutcomeTable(heldBeforeCommit(database().db, async () => { await committed; }), new TokenSealing(ringOf()));
    const phases = async (): Promise<string[]> => (await verbs.livePool.tokensOf(ownerId)).map(({ phase }) => phase);
    if (sent) ending.abort();
    const refresh = refresherOf(4, { ...verbs, outcomes }).refresh(version, ownerDid, { ...term, signal: ending.signal }, cause);
    await expect.poll(phases, { timeout: 3000, interval: 5 }).toEqual(['withdrawn']);
    ending.abort();
    await expect.poll(phases, { timeout: 3000 }).toEqual(['given_back']);
    expect(verbs.cache.anyUsable(ownerId)).toBeDefined();
    await expectNoLowerRankIfRedisIsEmptied(ownerId);
    // One that is in doubt is with callers by the record itself.
    expect(await phases()).toEqual([sent ? 'ready' : 'given_back']);
    commit(undefined);
    expect(await refresh).toEqual({ kind: 'skipped', reason: 'given_back' });
    expect(await phases()).toEqual(['ready']);
  }

  /** The record knows only of the claim, and a pool that was lost is built from it. */
  async function expectNoLowerRankIfRedisIsEmptied(ownerId: string): Promise<void> {
    const [before] = await verbs.livePool.tokensOf(ownerId);
    await verbs.writes.del(`${verbs.prefix}:pool:{${encodeURIComponent(ownerId)}}`);
    const { entries } = await new PoolRecord(verbs.db, verbs.owners, verbs.tokens, verbs.clock).read(new AbortController().signal);
    await verbs.livePool.putAll(entries.filter((entry) => entry.ownerId === ownerId && entry.token.slot === before!.slot));
    const [after] = await verbs.livePool.tokensOf(ownerId);
    expect({ version: after?.version, uc: after?.uc }).toEqual({ version: before!.version, uc: before!.uc });
    await verbs.publisher.publish(ownerId, before!);
  }

  test('after its time had come', () => givenBack('due', false));
  test('after it was to be asked for again', () => givenBack('doubt', true));
});

test('whoever asks for one token at the same time shares one refresh of it, and it is presented once', async () => {
  const [refresher, term] = [refresherOf(4), await newTerm()];
  const { version, ownerDid } = await tokenOf('healthy');
  const refreshes = Array.from({ length: 20 }, (_, index) => refresher.refresh(version, ownerDid, term, index % 2 === 0 ? 'due' : 'demand'));
  const { errand, answer } = await untilPosted(version);
  answer(grantedTo(errand));
  const results = new Set((await Promise.all(refreshes)).map((result) => JSON.stringify(result)));
  expect(results.size).toBe(1);
  expect(posted).toHaveLength(1);
  expect(verbs.attempts.size).toBe(0);
  expect(refresher.isUnderWay(version)).toBe(false);
});

test('two masters that refresh the same tokens at once present each refresh token once', async () => {
  const term = await newTerm();
  const tokens = await Promise.all(Array.from({ length: 30 }, () => tokenOf('healthy')));
  const masters = [refresherOf(50), refresherOf(50)];
  const refreshes = masters.flatMap((master) => tokens.map(({ version, ownerDid }) => master.refresh(version, ownerDid, term, 'demand')));
  for (const { version } of tokens) {
    const { errand, answer } = await untilPosted(version);
    answer(grantedTo(errand));
  }
  const results = await Promise.all(refreshes);
  expect(results.filter(({ kind }) => kind === 'refreshed')).toHaveLength(tokens.length);
  expect(posted).toHaveLength(tokens.length);
});

describe('a token that expires before it is replaced', () => {
  const hour = 3_600_000;
  const lapsesIn = async (version: number): Promise<string[]> =>
    (await database().select("SELECT text FROM tstevent WHERE status = '4016' AND jobname LIKE ?", `%token:${version}`)).map(({ text }) => String(text));

  /** @param expiredMs how long ago it expired @param plannedMs when it was to be refreshed, counted from its expiry */
  async function expired(ownerDid: number, expiredMs: number, plannedMs: number): Promise<{ version: number; ownerDid: number; expiry: number }> {
    const expiry = Math.floor((await readDatabaseTime(database().db)) / 1000) * 1000 - expiredMs;
    const createdtime = new Date(expiry - hour).toISOString().slice(0, 19).replace('T', ' ');
    return { ownerDid, expiry, version: await database().addToken(ownerDid, { createdtime, tokenvalidity: hour, dueat: expiry + plannedMs }) };
  }

  async function refreshed({ version, ownerDid }: { version: number; ownerDid: number }): Promise<void> {
    const refresh = refresherOf(4).refresh(version, ownerDid, await newTerm(), 'due');
    const { errand, answer } = await untilPosted(version);
    answer(grantedTo(errand));
    expect(await refresh).toMatchObject({ kind: 'refreshed' });
  }

  test('is in the history, with the time for which it was missing, and is told of', async () => {
    const lapsed = await expired(await database().addOwner(), 42_000, -5000);
    await refreshed(lapsed);
    expect(await lapsesIn(lapsed.version)).toEqual([expect.stringMatching(/had expired at .*Z, 4[2-5](\.\d)? s before it was replaced/)]);
    expect(verbs.lapses.heard.map(({ token }) => token.version)).toEqual([lapsed.version]);
  });

  test('is nothing to speak of where it had expired when it was inserted', async () => {
    const ownerDid = await database().addOwner();
    const { version } = await expired(ownerDid, 42_000, 0);
    await database().rows.query('UPDATE tsttoken SET dueat = NULL WHERE tokendid = ?', [version]);
    await verbs.planner.takeIn(await verbs.tokens.unplannedOf(database().db, ownerDid));
    await refreshed({ version, ownerDid });
    expect(await lapsesIn(version)).toEqual([]);
    expect(verbs.lapses.heard).toEqual([]);
  });

  test('is one of which callers were without it, not one that was withdrawn in time and had its rest drained', async () => {
    const ownerDid = await database().addOwner({ defaultconnectionresettime: 1500 });
    await database().addToken(ownerDid, { tokenauth: 'b3RoZXI6c2VjcmV0' });
    const withdrawn = await expired(ownerDid, -2000, -1500);
    await refreshed(withdrawn);
    expect(await readDatabaseTime(database().db)).toBeGreaterThan(withdrawn.expiry);
    expect(await lapsesIn(withdrawn.version)).toEqual([]);
  });
});
