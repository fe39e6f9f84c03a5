import type { Logger } from '../../src/runtime/log.ts';

export interface HeardLog extends Logger {
  /** `level message {fields}` */
  readonly lines: string[];
}

/** A log that a test reads. */
export function heardLog(): HeardLog {
  const lines: string[] = [];
  const hear = (level: string) => (fields: object, message: string) => void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  return { lines, trace: hear('trace'), debug: hear('debug'), info: hear('info'), warn: hear('warn'), error: hear('error') };
}
