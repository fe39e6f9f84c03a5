import type { KeyRing } from '../runtime/key-ring.ts';

/**
 * What happened to an attempt:
 *
 *     sending -> granted     the payload is the answer
 *             -> refused     the provider answered without a token
 *             -> not_left    nothing left this machine
 *             -> in_doubt    something left and no answer was read
 */
export const phases = ['sending', 'granted', 'refused', 'not_left', 'in_doubt'] as const;
export type Phase = (typeof phases)[number];

export interface JournalEntry {
  readonly attempt: string;
  readonly phase: Phase;
  readonly payload: string;
}

export interface JournalRecord extends Omit<JournalEntry, 'payload'> {
  /** Epoch ms by the wall clock of the machine: for people, not for decisions. */
  readonly at: number;
  /** null where it cannot be unsealed: its key is not in the ring, or it was changed. */
  readonly payload: string | null;
}

/** One line, its newline included: a line without one was torn by a crash. */
export function writeRecord(entry: JournalEntry, at: number, ring: KeyRing): string {
  const { attempt, phase, payload } = entry;
  return `${JSON.stringify({ attempt, phase, at, sealed: ring.seal(payload, placeOf(attempt)) })}\n`;
}

export interface SealedRecord extends Omit<JournalEntry, 'payload'> {
  readonly at: number;
  readonly sealed: string;
}

/** @returns undefined for a line that is not a record */
export function readRecord(line: string): SealedRecord | undefined {
  try {
    const record = JSON.parse(line) as SealedRecord;
    return typeof record.attempt === 'string' && typeof record.sealed === 'string' && phases.includes(record.phase) ? record : undefined;
  } catch {
    return undefined;
  }
}

export function unsealRecord({ attempt, phase, at, sealed }: SealedRecord, ring: KeyRing): JournalRecord {
  try {
    return { attempt, phase, at, payload: ring.unseal(sealed, placeOf(attempt)) };
  } catch {
    return { attempt, phase, at, payload: null };
  }
}

function placeOf(attempt: string): string {
  return `journal:${attempt}`;
}
