import { beforeEach, expect, test, vi } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import type { Errand, ErrandAnswer } from '../../src/oauth/errand.ts';
import { markSending } from '../../src/mysql/mark-sending.ts';
import { SubjectReader } from '../../src/pool/refresh-subject.ts';
import { TokenRefresher } from '../../src/pool/refresh-token.ts';
import type { Term } from '../../src/pool/term.ts';
import { TurnTaking } from '../../src/pool/turn-taking.ts';
import { Limiter } from '../../src/runtime/limiter.ts';
import { Metrics } from '../../src/runtime/metrics.ts';
import { useRedis } from '../harness/redis.ts';
import { silent, useTokenDatabase } from '../mysql/token-database.ts';
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

function refresherOf(concurrency: number): TokenRefresher {
  const post = async (errand: Errand): Promise<ErrandAnswer> => {
    if (!(await markSending(database().db, errand))) return { kind: 'given_back' };
    return new Promise((answer) => posted.push({ errand, answer }));
  };
  const subjects = new SubjectReader({ ...verbs, logger: silent });
  return new TokenRefresher({ ...verbs, subjects, courier: { post }, turns: new TurnTaking(), logger: silent, metrics, retryStatuses: [], concurrency, databaseShare: new Limiter(5) });
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
