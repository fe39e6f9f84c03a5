import { write } from 'node:fs';

/** Where finished lines go. Neither method throws or rejects, and `write` never waits: a log that cannot be written must not stop the service. */
export interface LogSink {
  /** @param time epoch ms of the record */
  write(text: string, time: number): void;
  /** Resolves when everything is written, or cannot be. */
  close(): Promise<void>;
}

/** Told that records are being lost, and why; once an outage. */
export type Complain = (text: string) => void;

export function complainOnStderr(text: string): void {
  write(2, `${text}\n`, () => undefined);
}

/** What is held in memory, in characters, while a sink cannot be written. */
export const mostHeld = 4 * 1024 * 1024;
