import { statuses } from '../../../src/domain/event.ts';
import type { Check } from '../evidence.ts';
import type { Ledger, LedgerRow } from './ledger.ts';
import type { RowChange } from './history.ts';
import { clockTime, Tally } from './tally.ts';

/** What people are told of a row, by the state it came to. An attempt that was made again in doubt tells how it failed. */
const toldBy: Readonly<Record<'in_doubt' | 'dead' | 'stopped', readonly string[]>> = {
  in_doubt: [statuses.inDoubt, statuses.refreshFailed, statuses.stopped],
  dead: [statuses.dead],
  stopped: [statuses.stopped],
};

export function isTold(row: Pick<LedgerRow, 'ownerDid' | 'version'>, state: keyof typeof toldBy, ledger: Ledger): boolean {
  return ledger.eventsOf(row).some(({ status }) => toldBy[state].includes(status));
}

/** Mails are sent with the events, and are a test of their own. */
export const lossesWereTold: Check = (_evidence, ledger) => {
  const tally = new Tally('Whatever came to be in doubt, dead or stopped was told of in the history for people');
  for (const [version, changes] of ledger.changesOf) {
    for (const state of ['in_doubt', 'dead', 'stopped'] as const) {
      const times = changes.filter((change) => cameTo(change, state));
      const told = ledger.eventsOf({ ownerDid: changes[0]?.ownerDid ?? 0, version }).filter(({ status }) => toldBy[state].includes(status));
      for (const [index, { at }] of times.entries()) {
        tally.case(index < told.length ? undefined : `token ${version} came to be ${state} at ${clockTime(at)}, and no event says so`);
      }
    }
  }
  return tally.finding();
};

/** A token in doubt that is claimed once more stays in doubt, by another attempt: nothing new to tell. */
function cameTo({ from, to }: RowChange, state: string): boolean {
  return from !== undefined && from.state !== state && to.isValid && to.state === state && (state !== 'in_doubt' || from.attempt === to.attempt);
}
