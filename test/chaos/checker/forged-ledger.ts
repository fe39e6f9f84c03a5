import type { RowChange, RowState } from './history.ts';
import { Ledger } from './ledger.ts';
import type { LedgerEvent, LedgerOwner, LedgerRow } from './ledger.ts';

/** `idle`, `sending a`, `gone a`: the state of a row and the attempt that holds it; `gone` is a row that was made invalid. */
export type Station = string;

export interface Forged {
  readonly policy?: LedgerOwner['policy'];
  readonly graceMs?: number;
  readonly retryMax?: number | null;
  /** What the first row of the owner was, one after the other, 10 ms apart from 1000 on. */
  readonly stations: readonly Station[];
  /** Whether it has a child. */
  readonly isReplaced?: boolean;
  /** Whether a newer row of another grant stands in its slot. */
  readonly isSuperseded?: boolean;
  /** Whether what its refresh brought stands back, and so was never valid. */
  readonly childStandsBack?: boolean;
  /** Whether the newest row of its slot comes from the refresh of one that is older than it. */
  readonly isOvertaken?: boolean;
  /** Whether a row of another line holds the same refresh token, and was claimed before. */
  readonly isCopied?: boolean;
  /** What it counts at each station; default: its requests that had ended otherwise than in doubt, since it was restarted. */
  readonly failures?: number;
  readonly row?: Partial<LedgerRow>;
  readonly events?: readonly LedgerEvent[];
}

export const forgedOwner = 'acme';
/** That claimed each time. */
export const forgedNode = 'node-1';
const version = 1;

/** A ledger of one owner whose first row went through the stations. */
export function forgedLedger({ policy = 'reuse_detect', graceMs = 0, retryMax = 5, stations, isReplaced = false, isSuperseded = false, childStandsBack = false, isOvertaken = false, isCopied = false, failures, row = {}, events = [] }: Forged): Ledger {
  const states = stations.map(stateOf);
  const last = states.at(-1) ?? stateOf('idle');
  const first: LedgerRow = { ...blank, ...last, ...row, version };
  const rows = [
    first,
    ...(isReplaced ? [{ ...blank, version: 2, parent: version, accessSequence: 2, refreshSequence: 2 }] : []),
    ...(isSuperseded ? [{ ...blank, version: 3, grantId: 'grant-2' }] : []),
    ...(childStandsBack ? [{ ...blank, version: 4, parent: version, isValid: false, accessSequence: 2, refreshSequence: 2 }] : []),
    ...(isOvertaken ? [{ ...blank, version: 0, isValid: false, grantId: 'grant-0' }, { ...blank, version: 5, parent: 0, grantId: 'grant-0', accessSequence: 2, refreshSequence: 2 }] : []),
    ...(isCopied ? [{ ...blank, ...row, version: 6, parent: null, auth: 'another slot', isValid: false }] : []),
  ];
  const common = { ownerDid: 1, epoch: 1, node: forgedNode, retryCount: 0, dueAt: null };
  const changes = states.map((to, index): RowChange => ({ ...common, id: index + 1, at: 1000 + index * 10, version, parent: null, from: states[index - 1], to, retryCount: failures ?? failuresIn(states.slice(0, index + 1)) }));
  if (isCopied) changes.unshift({ ...common, id: 0, at: 990, version: 6, parent: null, from: stateOf('idle'), to: stateOf('claimed z') });
  if (childStandsBack) changes.push({ ...common, id: changes.length + 1, at: 1000 + changes.length * 10, version: 4, parent: version, from: undefined, to: stateOf('gone') });
  return new Ledger([{ did: 1, id: forgedOwner, policy, graceMs, tokenUrl: 'http://127.0.0.1:1/token', retryMax }], rows, events, { changes, terms: [] });
}

const blank: LedgerRow = {
  version,
  ownerDid: 1,
  parent: null,
  isValid: true,
  state: 'idle',
  attempt: null,
  auth: 'slot',
  accessToken: '',
  refreshToken: '',
  grantId: 'grant-1',
  accessSequence: 1,
  refreshSequence: 1,
  expiresAt: 10_000,
  dueAt: null,
};

function stateOf(station: Station): RowState {
  const [state = '', attempt = null] = station.split(' ');
  return state === 'gone' ? { isValid: false, state: 'idle', attempt } : { isValid: true, state, attempt };
}

function failuresIn(states: readonly RowState[]): number {
  return states.reduce((failures, to, index) => {
    const before = states[index - 1]?.state;
    if (before === 'stopped' || before === 'dead') return 0;
    return (before === 'sending' || before === 'in_doubt') && to.isValid && to.attempt === null ? failures + 1 : failures;
  }, 0);
}
