import { setTimeout as sleep } from 'node:timers/promises';

import { lapsesSince, markNow, valuesOf, type LapseAccount, type Mark } from './accounts.ts';
import { expiredUnrefreshed, tokensInBooks, type BookedToken } from './book.ts';
import { failedInVain, tokensOnRecord } from './on-record.ts';
import { Callers, type NotedRead } from './reads.ts';
import type { Stage } from './stage.ts';
import { slotsInRedis, slotsWithoutFreshToken } from './slots.ts';

export interface Outage {
  readonly name: string;
  readonly seconds: number;
  readonly begin: () => Promise<void>;
  readonly end: () => Promise<void>;
  /** What is done in its midst. */
  readonly meanwhile?: () => Promise<void>;
}

export interface OutageFacts {
  readonly outage: Outage;
  /** When the store was gone, and when it was back; epoch ms. */
  readonly from: number;
  readonly until: number;
  readonly reads: readonly NotedRead[];
  /** Of them, those that failed although the record held a token. */
  readonly failedInVain: readonly NotedRead[];
  /** When refresh tokens were presented, epoch ms. */
  readonly refreshes: readonly number[];
  /** By the providers' books. */
  readonly expired: readonly BookedToken[];
  readonly lapses: LapseAccount;
  /** Owners without a token at the end of the outage: by the books, and the least that a node showed. */
  readonly withoutToken: { readonly inBooks: number; readonly shown: number };
  readonly presentedTwice: number;
  readonly grantsRevoked: number;
  /** From the return until every slot had a fresh token, in the record and in Redis, ms; Infinity: not within the time that was waited. */
  readonly recoveredMs: number;
}

export interface OutageRun {
  readonly readsPerSecond: number;
  /** Reads before and after, s. */
  readonly beforeSeconds: number;
  readonly afterSeconds: number;
  readonly tell: (line: string) => void;
}

const recoveryLimitMs = 60_000;
/** Mails leave within this time after a refresh, ms: see the least time between two of them in `src/pool/lapse-reporter.ts`. */
const mailLimitMs = 90_000;
const tellEveryMs = 5000;

/** Callers throughout; the store goes away in their midst, and comes back. */
export async function runOutage(stage: Stage, outage: Outage, run: OutageRun): Promise<OutageFacts> {
  const mark = await markNow(stage);
  const [twice, revoked] = [sumOf(stage, 'presentedTwice'), sumOf(stage, 'grantsRevoked')];
  const callers = new Callers(stage, run.readsPerSecond);
  try {
    await sleep(run.beforeSeconds * 1000);
    const away = await goThrough(stage, outage, callers, run.tell);
    const recoveredMs = await untilRecovered(stage, away.until);
    run.tell(`${outage.name} back: every slot has a fresh token after ${(recoveredMs / 1000).toFixed(1)} s`);
    await sleep(Math.max(0, away.until + run.afterSeconds * 1000 - Date.now()));
    await callers.stop();
    const lapses = await toldOf(stage, mark, run.tell);
    const expired = expiredUnrefreshed(tokensInBooks(stage), away.from, away.until + recoveredMs);
    return {
      outage,
      ...away,
      recoveredMs,
      reads: callers.reads,
      failedInVain: failedInVain(callers.reads, await tokensOnRecord(stage)),
      refreshes: presentations(stage),
      expired,
      lapses,
      presentedTwice: sumOf(stage, 'presentedTwice') - twice,
      grantsRevoked: sumOf(stage, 'grantsRevoked') - revoked,
    };
  } finally {
    await callers.stop();
  }
}

type Away = Pick<OutageFacts, 'from' | 'until' | 'withoutToken'>;

async function goThrough(stage: Stage, outage: Outage, callers: Callers, tell: (line: string) => void): Promise<Away> {
  await outage.begin();
  const from = Date.now();
  const progress = setInterval(() => { tell(progressOf(stage, outage, callers, from)); }, tellEveryMs);
  try {
    await Promise.all([sleep(outage.seconds * 1000), outage.meanwhile?.()]);
    const withoutToken = await ownersWithoutToken(stage);
    await outage.end();
    return { from, until: Date.now(), withoutToken };
  } finally {
    clearInterval(progress);
  }
}

function progressOf(stage: Stage, { name, seconds }: Outage, callers: Callers, from: number): string {
  const now = Date.now();
  const refreshes = presentations(stage).filter((at) => at >= from).length;
  const expired = expiredUnrefreshed(tokensInBooks(stage), from, now).length;
  return `${name} away for ${Math.round((now - from) / 1000)} of ${seconds} s: ${callers.reads.length} reads, ${callers.failed} failed; ${refreshes} refreshes; ${expired} tokens expired unrefreshed`;
}

async function ownersWithoutToken(stage: Stage): Promise<OutageFacts['withoutToken']> {
  const shown = await valuesOf(stage.nodes, 'tokenpool_owners_without_token');
  const now = Date.now();
  const alive = new Set(tokensInBooks(stage).filter(({ expiresAt }) => expiresAt > now).map(({ owner }) => owner));
  return { inBooks: stage.owners.filter(({ id }) => !alive.has(id)).length, shown: Math.min(...shown.values()) };
}

async function untilRecovered(stage: Stage, since: number): Promise<number> {
  while (Date.now() - since < recoveryLimitMs) {
    const looked = Date.now();
    const [wanting, inRedis] = await Promise.all([slotsWithoutFreshToken(stage), slotsInRedis(stage)]).catch(() => [Infinity, 0]);
    if (wanting === 0 && inRedis === stage.owners.flatMap(({ grants }) => grants).length) return looked - since;
    await sleep(100);
  }
  return Infinity;
}

/** What is in the history is mailed some time later. */
async function toldOf(stage: Stage, mark: Mark, tell: (line: string) => void): Promise<LapseAccount> {
  const deadline = Date.now() + mailLimitMs;
  for (let said = false; ; said = true) {
    const account = await lapsesSince(stage, mark);
    if (account.mailed.length >= account.inHistory.length || Date.now() > deadline) return account;
    if (!said) tell(`waiting for the mails of ${account.inHistory.length} expired tokens`);
    await sleep(500);
  }
}

function presentations({ brief, lasting }: Stage): number[] {
  return [brief, lasting].flatMap(({ account }) => account.presentations.map(({ at }) => at));
}

function sumOf({ brief, lasting }: Stage, name: 'presentedTwice' | 'grantsRevoked'): number {
  return brief.account[name] + lasting.account[name];
}
