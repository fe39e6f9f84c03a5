import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { StoreUnavailable } from '../../src/domain/errors.ts';
import { Secret } from '../../src/domain/secret.ts';
import { AttemptRecorder } from '../../src/journal/attempt-recorder.ts';
import { Journal } from '../../src/journal/journal.ts';
import type { Database } from '../../src/mysql/connection.ts';
import { markSending } from '../../src/mysql/mark-sending.ts';
import { JournalReplay, type ReplayParts } from '../../src/pool/replay-journal.ts';
import { Metrics } from '../../src/runtime/metrics.ts';
import { useRedis } from '../harness/redis.ts';
import { newAttempt, silent, useTokenDatabase } from '../mysql/token-database.ts';
import { useClients } from '../redis/clients.ts';
import { verbsOn, type VerbsOnStores } from './verbs-on-stores.ts';

const database = useTokenDatabase();
const redis = useRedis();
const connect = useClients();
const metrics = new Metrics({ version: 'test', runtime: false });
const { signal: goesOn } = new AbortController();
let verbs: VerbsOnStores;
let folder: string;

beforeEach(async () => {
  verbs = await verbsOn({ database: database(), redisUrl: redis().url, connect });
  folder = await mkdtemp(join(tmpdir(), 'tps-replay-'));
});

afterEach(() => rm(folder, { recursive: true }));

function replayOf(over: Partial<ReplayParts> = {}): JournalReplay {
  return new JournalReplay({ ...verbs, folder, ring: verbs.transit, logger: silent, metrics, ...over });
}

interface Kept {
  readonly version: number;
  readonly attempt: string;
}

/** As many attempts that were sent, with their answers in the journal and nowhere else. */
async function keptInJournal(count: number): Promise<Kept[]> {
  const journal = new Journal(folder, verbs.transit);
  await journal.open();
  const recorder = new AttemptRecorder(journal, verbs.transit, () => Promise.resolve(), () => Promise.resolve(true));
  const epoch = await verbs.terms.begin(60_000);
  const kept: Kept[] = [];
  for (let index = 0; index < count; index++) {
    const ownerDid = await database().addOwner();
    const token = await database().token(await database().addToken(ownerDid));
    const attempt = { attempt: newAttempt(), version: token.version, ownerDid, issuedAt: Math.floor(verbs.clock.now()) };
    await verbs.claims.claim(token, { ...attempt, epoch });
    await markSending(database().db, attempt);
    const grant = { accessToken: new Secret(`at-${attempt.attempt}`), refreshToken: new Secret(`rt-${attempt.attempt}`), validityMs: 3_600_000 };
    await Promise.all(recorder.granted(attempt, grant));
    kept.push(attempt);
  }
  await journal.close();
  return kept;
}

async function recorded(kept: readonly Kept[]): Promise<number> {
  return (await database().select('SELECT tokendid FROM tsttoken WHERE parenttokendid IN (?)', kept.map(({ version }) => version) as never)).length;
}

test('answers that nobody recorded become tokens, each once however often the journal is replayed', async () => {
  const kept = await keptInJournal(3);
  await replayOf().replay(goesOn);
  await replayOf().replay(goesOn);
  expect(await recorded(kept)).toBe(3);
});

test('an attempt that is under way in this process is left to it', async () => {
  const [mine, other] = await keptInJournal(2);
  const attempts = Object.assign(Object.create(verbs.attempts) as typeof verbs.attempts, { has: (attempt: string) => attempt === mine?.attempt });
  await replayOf({ attempts }).replay(goesOn);
  expect(await recorded([mine!])).toBe(0);
  expect(await recorded([other!])).toBe(1);
});

test('a stop waits for the answer that is being recorded and for no other; the rest stays for the next time', async () => {
  const kept = await keptInJournal(10);
  const stop = new AbortController();
  let redeemed = 0;
  const redeemer = Object.assign(Object.create(verbs.redeemer) as typeof verbs.redeemer, {
    redeem: async (...args: Parameters<typeof verbs.redeemer.redeem>) => {
      redeemed++;
      stop.abort();
      return verbs.redeemer.redeem(...args);
    },
  });
  await replayOf({ redeemer }).replay(stop.signal);
  expect(redeemed).toBe(1);
  expect(await recorded(kept)).toBe(1);
  await replayOf().replay(goesOn);
  expect(await recorded(kept)).toBe(10);
});

test('what was recorded long ago costs no look at its owner, however much of it there is', async () => {
  await keptInJournal(20);
  await replayOf().replay(goesOn);
  const [missing] = await keptInJournal(1);
  let redeemed = 0;
  const redeemer = Object.assign(Object.create(verbs.redeemer) as typeof verbs.redeemer, {
    redeem: (...args: Parameters<typeof verbs.redeemer.redeem>) => {
      redeemed++;
      return verbs.redeemer.redeem(...args);
    },
  });
  await replayOf({ redeemer }).replay(goesOn);
  expect(redeemed).toBe(1);
  expect(await recorded([missing!])).toBe(1);
});

test('an answer whose record the database has lost, as in a failover, is recorded again without a restart', async () => {
  const [kept] = await keptInJournal(1);
  const replay = replayOf();
  await replay.replay(goesOn);
  await database().rows.query('DELETE FROM tsttoken WHERE parenttokendid = ?', [kept!.version]);
  await database().rows.query("UPDATE tsttoken SET isvalid = 1, state = 'sending' WHERE tokendid = ?", [kept!.version]);
  await replay.replay(goesOn);
  expect(await recorded([kept!])).toBe(1);
});

test('a round for which the database was away is made again soon', async () => {
  const [kept] = await keptInJournal(1);
  const { host, user, password, schema } = database().schema;
  const [there, away] = [database().db, database().open({ host, port: 1, user, password: new Secret(password), schema })];
  let isAway = true;
  const db: Database = { ...there, query: (statement, signal) => (isAway ? away : there).query(statement, signal) };
  const replay = replayOf({ db });
  await expect(replay.replay(goesOn)).rejects.toThrow(StoreUnavailable);
  expect(replay.pauseMs).toBe(5000);
  isAway = false;
  await replay.replay(goesOn);
  expect(replay.pauseMs).toBe(60_000);
  expect((await database().row(kept!.version))['valid']).toBe(0);
});
