/** From silent to everything; a level lets through its own records and those of the levels before it. */
export const logLevels = ['OFF', 'ERROR', 'WARN', 'INFO', 'DEBUG', 'TRACE', 'ALL'] as const;

export type LogLevel = (typeof logLevels)[number];

/** The level of one record. */
export type RecordLevel = Exclude<LogLevel, 'OFF' | 'ALL'>;

interface CommonAppenderOptions {
  /** Records below this level are left out. */
  readonly threshold: LogLevel;
  /** IANA name or offset (`+05:30`) in which times are written, and in which a file's day begins. */
  readonly timeZone: string;
  /** A logback pattern; absent: one JSON object a line. */
  readonly logFormat?: string | undefined;
}

export interface ConsoleAppenderOptions extends CommonAppenderOptions {
  readonly type: 'console';
  readonly target: 'stdout' | 'stderr';
}

export interface FileAppenderOptions extends CommonAppenderOptions {
  readonly type: 'file';
  readonly currentLogFilename: string;
  /** False: one file that grows. */
  readonly archive: boolean;
  /** Has `%d` or `%d{...}` in its file name; ending in `.gz` or `.zip` it compresses. */
  readonly archivedLogFilenamePattern?: string | undefined;
  /** How many archived files are kept, 1 to 50. */
  readonly archivedFileCount: number;
}

export type AppenderOptions = ConsoleAppenderOptions | FileAppenderOptions;

export interface LoggingOptions {
  readonly level: LogLevel;
  /** Level by logger name; the longest matching name decides. */
  readonly loggers: Readonly<Record<string, LogLevel>>;
  readonly appenders: readonly AppenderOptions[];
}

/** Whether a record of `level` passes `limit`. */
export function passes(level: RecordLevel, limit: LogLevel): boolean {
  return logLevels.indexOf(level) <= logLevels.indexOf(limit);
}
