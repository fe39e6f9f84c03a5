import type { RowChange } from './history.ts';
import type { Ledger } from './ledger.ts';

/** One time that a row was marked as sent: the last step before a request may leave. */
export interface Sending {
  readonly version: number;
  readonly ownerDid: number;
  readonly attempt: string;
  /** Whose courier sent it. */
  readonly node: string | null;
  /** When its attempt took the row, epoch ms: from then on the courier may have been at it. */
  readonly takenAt: number;
  /** Epoch ms; where MySQL or the way to it was slow, after the courier that asked for it may have died. */
  readonly at: number;
  /** Whether the row had been in doubt before: a refusal leaves it so, for it says nothing of the first time. */
  readonly isRepeated: boolean;
  /** What became of the row next; undefined where it is still as it was. */
  readonly next: RowChange | undefined;
  /** All later changes of the row. */
  readonly later: readonly RowChange[];
}

export function sendingsOf(ledger: Ledger, version: number): Sending[] {
  const changes = ledger.changesOf.get(version) ?? [];
  return changes.flatMap((change, index) => {
    if (change.to.state !== 'sending' || change.from?.state === 'sending') return [];
    const later = changes.slice(index + 1);
    const takenAt = changes.find(({ to }) => to.attempt === change.to.attempt)?.at ?? change.at;
    return [{ version, ownerDid: change.ownerDid, attempt: change.to.attempt ?? '', node: change.node, isRepeated: changes.slice(0, index).some(({ to }) => to.state === 'in_doubt'), takenAt, at: change.at, next: later[0], later }];
  });
}
