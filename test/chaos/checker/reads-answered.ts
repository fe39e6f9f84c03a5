import type { Check, Evidence, Interval, ReadAnswer } from '../evidence.ts';
import type { RowChange } from './history.ts';
import type { Ledger, LedgerRow } from './ledger.ts';
import { clockTime, Tally } from './tally.ts';

/** A token is not handed out in its very last moment, ms (`handOutMarginMs`), and clocks are read to the millisecond. */
const lastMomentMs = 60;

/**
 * A read may fail where no node was up, and where every slot of its owner was lost at that moment: its refresh in doubt, dead or stopped,
 * and its access token at its end. A token that is there, or ought to be, is served.
 */
export const readsAnswered: Check = (evidence, ledger) => {
  const tally = new Tally('No read failed while its owner had a token that lived, or ought to have had one');
  const slots = slotsByOwner(ledger);
  for (const read of evidence.answers) {
    if (read.status === 200) tally.case();
    else tally.case(faultOf(read, slots.get(read.owner) ?? [], evidence, ledger));
  }
  return tally.finding();
};

/** Failed reads that no service could have served, by why. */
export interface Excused {
  readonly nobodyUp: number;
  readonly lostGrants: number;
}

export function excusedReads(evidence: Evidence, ledger: Ledger): Excused {
  const slots = slotsByOwner(ledger);
  const excused = evidence.answers.filter((read) => read.status !== 200 && faultOf(read, slots.get(read.owner) ?? [], evidence, ledger) === undefined);
  const nobodyUp = excused.filter((read) => isWithin(read, evidence.nobodyUp)).length;
  return { nobodyUp, lostGrants: excused.length - nobodyUp };
}

type Slot = readonly LedgerRow[];

function slotsByOwner(ledger: Ledger): Map<string, Slot[]> {
  const byOwner = Map.groupBy(ledger.rows, (row) => ledger.ownerOf(row).id);
  return new Map([...byOwner].map(([owner, rows]) => [owner, [...Map.groupBy(rows, ({ auth }) => auth).values()]]));
}

function faultOf(read: ReadAnswer, slots: readonly Slot[], evidence: Evidence, ledger: Ledger): string | undefined {
  if (isWithin(read, evidence.nobodyUp)) return undefined;
  const faults = slots.map((slot) => whyNotLost(slot, read.sentAt, evidence, ledger)).filter((fault) => fault !== undefined);
  if (faults.length === 0 && slots.length > 0) return undefined;
  return `${clockTime(read.sentAt)} ${read.owner}: ${read.why ?? 'no answer'} by ${read.servedBy ?? 'nobody'} after ${read.endedAt - read.sentAt} ms; ${faults.join('; ') || 'unknown owner'}`;
}

function isWithin({ sentAt, endedAt }: ReadAnswer, intervals: readonly Interval[]): boolean {
  return intervals.some(({ from, until }) => sentAt <= until && endedAt >= from);
}

function whyNotLost(slot: Slot, at: number, { grants }: Evidence, ledger: Ledger): string | undefined {
  const current = slot.findLast(({ version }) => stateAt(ledger.changesOf.get(version) ?? [], at)?.isValid);
  if (!current) return 'a slot had no valid row';
  const owner = ledger.ownerOf(current).id;
  const provider = grants.find((grant) => grant.owner === owner && grant.grantId === current.grantId)?.provider;
  const judgement = provider?.isLive(current.accessToken, at + lastMomentMs);
  const lives = current.expiresAt > at + lastMomentMs && judgement?.known === true && !judgement.expired && !judgement.revoked;
  if (lives) return `token ${current.version} lived until ${clockTime(current.expiresAt)}`;
  const changes = ledger.changesOf.get(current.version) ?? [];
  return isLostAt(changes, at) ? undefined : `token ${current.version} had ended at ${clockTime(current.expiresAt)} and its refresh was not lost${courseOf(changes)}`;
}

/** For people who look for what was late: when it was due, and what was done when. */
function courseOf(changes: readonly RowChange[]): string {
  const first = changes.find(({ from, dueAt }) => from !== undefined && dueAt !== null);
  const steps = changes.filter(({ from }) => from !== undefined).map(({ at, to }) => `${to.isValid ? to.state : 'replaced'} ${clockTime(at)}`);
  return ` (due ${first?.dueAt ? clockTime(first.dueAt) : 'never'}${steps.map((step) => `, ${step}`).join('')})`;
}

function stateAt(changes: readonly RowChange[], at: number): RowChange['to'] | undefined {
  return changes.findLast((change) => change.at <= at)?.to;
}

/** Also where that came to light later: the request was out, and no answer to it was ever recorded. */
function isLostAt(changes: readonly RowChange[], at: number): boolean {
  const index = changes.findLastIndex((change) => change.at <= at);
  const now = changes[index]?.to.state;
  const next = changes[index + 1]?.to;
  return isLost(now) || (now === 'sending' && next?.isValid === true && isLost(next.state));
}

function isLost(state: string | undefined): boolean {
  return state === 'in_doubt' || state === 'dead' || state === 'stopped';
}
