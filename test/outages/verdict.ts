import type { OutageFacts } from './outage.ts';
import { percentile, summaryOf, type NotedRead } from './reads.ts';
import type { StartFacts } from './start-without-stores.ts';

export interface Promised {
  readonly text: string;
  readonly kept: boolean;
  /** What was seen. */
  readonly seen: string;
}

export interface Bounds {
  /** From the return of a store until every slot has a fresh token, ms. */
  readonly recoveredMs: number;
  /** How long a caller waits for a token at most, ms. */
  readonly waitMs: number;
  /** Fewer reads than this are no result. */
  readonly leastReads: number;
  /** Slots whose tokens do not outlive an outage of MySQL. */
  readonly briefSlots: number;
  readonly tokenSeconds: number;
}

/** What callers are told of an owner without a token: no token came while they waited, or no store answers (such as a Redis that is slow, with MySQL away). */
const codesAllowed = ['TPS0005', 'TP0002'];
/** A refresh that was claimed when MySQL went away may still be sent, ms: see `recordingLimitMs` in `src/oauth/errand.ts`. */
const underWayMs = 2000;
/** What is at once on a machine that is busy, ms: a look at stores that do not answer would take longer. */
const atOnceMs = 500;
/** Slack for a refusal on a busy machine, ms. A caller whose node is killed waits anew at another. */
const refusalSlackMs = 2000;

export function promisesOf(facts: OutageFacts, kind: 'redis' | 'mysql' | 'both', bounds: Bounds): Promised[] {
  return [...always(facts, bounds), ...(kind === 'redis' ? goingOn(facts, bounds) : standingStill(facts, bounds))];
}

function always(facts: OutageFacts, { recoveredMs, leastReads }: Bounds): Promised[] {
  const { reads, until } = facts;
  const lasting = reads.filter(({ lasts }) => lasts);
  const late = failed(reads).filter(({ sentAt }) => sentAt > until + facts.recoveredMs);
  return [
    least('there was enough traffic to tell', reads.length, leastReads, 'reads'),
    none('no read failed of an owner whose tokens live longer', failed(lasting).length, `of ${lasting.length} reads`),
    most('they were read at once, nine in ten', percentile(lasting.filter(({ sentAt }) => sentAt > facts.from && sentAt < until), 0.9), atOnceMs),
    none('no token was handed out that was expired, revoked or of another owner', reads.filter(({ badToken }) => badToken).length, 'bad tokens'),
    none('no read failed while the record held a token of the owner', facts.failedInVain.length, `of ${failed(reads).length} failed reads`),
    none('no read failed before, or once every slot had a fresh token', late.length + failed(reads).filter(({ endedAt }) => endedAt < facts.from).length, 'reads'),
    none('no refresh token was presented twice', facts.presentedTwice, 'say the providers'),
    none('no grant was revoked', facts.grantsRevoked, 'say the providers'),
    most('every slot had a fresh token soon after the return', facts.recoveredMs, recoveredMs),
  ];
}

/** Redis is away: nothing is missing. */
function goingOn(facts: OutageFacts, { briefSlots, tokenSeconds }: Bounds): Promised[] {
  const expected = Math.floor(((facts.until - facts.from) / 1000 / tokenSeconds) * briefSlots);
  return [
    none('no read failed at all', failed(facts.reads).length, `of ${facts.reads.length} reads`),
    least('refreshes went on', during(facts).length, expected, 'refreshes'),
    none('no token expired unrefreshed', facts.expired.length, 'tokens'),
  ];
}

/** MySQL is away: nothing is refreshed, and what expires is told. */
function standingStill(facts: OutageFacts, { waitMs, briefSlots }: Bounds): Promised[] {
  const { expired, lapses, from, until } = facts;
  const keys = new Set(expired.map(({ key }) => key));
  const missingIn = (told: readonly string[]): number => [...keys].filter((key) => !told.includes(key)).length;
  const otherCodes = failed(facts.reads).filter(({ why = '' }) => !codesAllowed.includes(why));
  return [
    none('nothing was presented to a provider without MySQL', facts.refreshes.filter((at) => at > from + underWayMs && at < until).length, 'refresh tokens'),
    least('tokens did expire', expired.length, briefSlots / 2, 'tokens'),
    none('none of those that live longer did', expired.filter(({ lasts }) => lasts).length, 'tokens'),
    none('every token that expired is in the history', missingIn(lapses.inHistory), `of ${keys.size} missing`),
    none('every one of them was mailed to the people of its owner', missingIn(lapses.mailed), `of ${keys.size} missing`),
    { text: 'the metric counts what is in the history', kept: lapses.counted === lapses.inHistory.length, seen: `${lapses.counted} and ${lapses.inHistory.length}` },
    { text: 'the nodes showed the owners without a token while it lasted', kept: facts.withoutToken.shown === facts.withoutToken.inBooks && facts.withoutToken.inBooks > 0, seen: `${facts.withoutToken.shown} of ${facts.withoutToken.inBooks}` },
    none(`callers of an owner without a token were told ${codesAllowed.join(' or ')}`, otherCodes.length, `of ${failed(facts.reads).length} told otherwise`),
    most('they were told when their wait was over', summaryOf(facts.reads).longestRefusalMs, 2 * waitMs + refusalSlackMs),
  ];
}

/** A node that is started while there is no store. */
export function promisesOfStart({ asked, answered, saidWaiting, readyMs, exitCode, saidEnding }: StartFacts, readyWithinMs: number): Promised[] {
  return [
    { text: 'a node that was started without stores served nothing', kept: asked > 0 && answered === 0, seen: `${answered} of ${asked} calls answered` },
    { text: 'it said what it waits for', kept: saidWaiting !== '', seen: saidWaiting },
    most('it took load when the stores were back', readyMs, readyWithinMs),
    { text: 'one with less patience ended with exit code 1 and the reason', kept: exitCode === 1 && saidEnding.includes('mysql'), seen: `${exitCode}, ${saidEnding}` },
  ];
}

/** Refreshes while the store was away. */
export function during({ refreshes, from, until }: OutageFacts): number[] {
  return refreshes.filter((at) => at >= from && at < until);
}

function failed(reads: readonly NotedRead[]): NotedRead[] {
  return reads.filter(({ why }) => why !== undefined);
}

function none(text: string, count: number, of: string): Promised {
  return { text, kept: count === 0, seen: `${count} ${of}` };
}

function least(text: string, count: number, least: number, of: string): Promised {
  return { text, kept: count >= least, seen: `${count} ${of}, at least ${Math.ceil(least)}` };
}

function most(text: string, ms: number, mostMs: number): Promised {
  return { text, kept: ms <= mostMs, seen: `${(ms / 1000).toFixed(1)} s, at most ${(mostMs / 1000).toFixed(1)} s` };
}
