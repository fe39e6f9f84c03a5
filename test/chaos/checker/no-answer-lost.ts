import type { Presentation } from '../../harness/provider/account.ts';
import type { Check, Death, Evidence } from '../evidence.ts';
import { readKept } from './kept-answers.ts';
import type { Ledger } from './ledger.ts';
import { sendingsOf, type Sending } from './sendings.ts';
import { clockTime, Tally } from './tally.ts';

/** A death is noted once it was seen to have happened, which takes a busy machine this long, ms; or right before it is brought about. */
const noted = { laterMs: 1000, earlierMs: 100 };

/**
 * A request whose answer was not recorded when its row came to be in doubt has a cause: the provider sent no whole answer that says what became of
 * it, or the courier of its node, which waited for it, died, or it is kept and was overtaken. An answer that was recorded later needs none. Word that
 * the token was not used, by a refusal or as nothing left, is lost with the service that it was told and Redis: nothing was done, so no disk keeps it.
 */
export const noAnswerLost: Check = async (evidence, ledger) => {
  const tally = new Tally('No answer that arrived was lost: every token in doubt has a cause');
  const kept = new Set((await readKept(evidence)).answers.map(({ attempt }) => attempt));
  const presentations = presentationsByRow(evidence, ledger);
  const parents = new Set(ledger.rows.map(({ parent }) => parent));
  for (const { version } of ledger.rows) {
    for (const sending of sendingsOf(ledger, version)) {
      if (sending.next?.to.state !== 'in_doubt' || !sending.next.to.isValid || wasCleared(sending, parents.has(version))) continue;
      tally.case(kept.has(sending.attempt) ? undefined : faultOf(sending, presentations.get(version) ?? [], evidence, ledger));
    }
  }
  return tally.finding();
};

/** Its own answer was recorded, or whoever had sent it had word that the token was not used. */
function wasCleared({ attempt, later }: Sending, hasChild: boolean): boolean {
  const end = later.find(({ from, to }) => from?.attempt === attempt && (to.attempt !== attempt || !to.isValid))?.to;
  return end !== undefined && (end.isValid ? end.attempt === null && ['idle', 'stopped', 'dead'].includes(end.state) : hasChild);
}

function presentationsByRow({ grants }: Evidence, ledger: Ledger): Map<number, Presentation[]> {
  const byRow = new Map<number, Presentation[]>();
  for (const { provider, grantId, owner } of grants) {
    const bySequence = Map.groupBy(provider.account.presentations.filter((presentation) => presentation.grantId === grantId), ({ refreshToken }) => Number(refreshToken.split('#')[1]));
    for (const { version, refreshSequence } of ledger.rowsOfGrant(owner, grantId)) byRow.set(version, bySequence.get(refreshSequence) ?? []);
  }
  return byRow;
}

function faultOf(sending: Sending, presentations: readonly Presentation[], evidence: Evidence, ledger: Ledger): string | undefined {
  const until = sending.next?.at ?? Infinity;
  const within = (at: number): boolean => at >= Math.floor(sending.at) && at <= until;
  if (diedMeanwhile(evidence.courierDeaths, sending) || evidence.answerLosses.some(({ from, until: end }) => from <= until && end >= sending.at)) return undefined;
  const seen = presentations.filter(({ at }) => within(at));
  const answered = seen.find(({ answeredAt }) => answeredAt !== undefined && answeredAt <= until);
  const place = `token ${sending.version}, sent at ${clockTime(sending.at)}, in doubt at ${clockTime(until)}`;
  if (answered && isUnheardRefusal(sending, answered, evidence)) return undefined;
  if (answered && !isRefusalOfRepetition(sending, answered)) return `${place}: the provider had answered (${answered.outcome}${answered.behaviour ? `, ${answered.behaviour}` : ''}) at ${clockTime(answered.answeredAt ?? 0)}`;
  return seen.length > 0 || mayNotHaveLeft(sending, presentations, evidence, ledger) ? undefined : `${place}: nothing of it had come to the provider, which was up`;
}

/** Of a token in doubt that is asked for again: the doubt is that of the first request. */
export function isRefusalOfRepetition({ isRepeated }: Pick<Sending, 'isRepeated'>, { outcome }: Pick<Presentation, 'outcome'>): boolean {
  return isRepeated && outcome === 'held off';
}

/** Whether the service that a refusal was told died, and Redis, which had word of it for the next master, was in trouble too. */
export function isUnheardRefusal(sending: Pick<Sending, 'takenAt' | 'at' | 'next' | 'node'>, { outcome }: Pick<Presentation, 'outcome'>, { nodeDeaths, redisTroubles }: Pick<Evidence, 'nodeDeaths' | 'redisTroubles'>): boolean {
  const wasRefused = outcome === 'held off' || outcome === 'client refused' || outcome === 'revoked grant';
  return wasRefused && wordWasLost(sending, sending.at, { nodeDeaths, redisTroubles });
}

/** How long the clients of a Redis that is back may still be without it, ms. */
const comesBackMs = 3000;

/** @param from when there was something to say at the earliest: that nothing is sent may be known before the mark of the sending is carried out */
export function wordWasLost(sending: Pick<Sending, 'takenAt' | 'next' | 'node'>, from: number, { nodeDeaths, redisTroubles }: Pick<Evidence, 'nodeDeaths' | 'redisTroubles'>): boolean {
  const until = sending.next?.at ?? Infinity;
  return diedMeanwhile(nodeDeaths, sending, 1000) && redisTroubles.some((trouble) => trouble.from <= until && trouble.until + comesBackMs >= from);
}

/** Whether one of the deaths, by when they were noted, can have been while the answer was awaited, on the node that awaited it: also before the request was marked as sent, which may come late. */
export function diedMeanwhile(deaths: readonly Death[], { takenAt, next, node }: Pick<Sending, 'takenAt' | 'next' | 'node'>, earlierMs = noted.earlierMs): boolean {
  const until = next?.at ?? Infinity;
  return deaths.some((death) => death.node === node && death.at >= takenAt - earlierMs && death.at - noted.laterMs <= until);
}

/** It came later, or to a provider that was cut off, or word that nothing had left was lost, or it costs nothing to ask again. */
function mayNotHaveLeft(sending: Sending, presentations: readonly Presentation[], evidence: Evidence, ledger: Ledger): boolean {
  const { at, next, ownerDid } = sending;
  const until = next?.at ?? Infinity;
  const owner = ledger.owners.get(ownerDid);
  if (owner?.policy !== 'reuse_detect' || wordWasLost(sending, sending.takenAt, evidence)) return true;
  const outages = evidence.grants.find((grant) => grant.owner === owner.id)?.provider.account.outages ?? [];
  return presentations.some((presentation) => presentation.at > until) || outages.some((outage) => outage.from <= until && outage.until >= at);
}
