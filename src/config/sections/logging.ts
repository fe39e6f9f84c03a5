import { z } from 'zod';

import { knownTimeZone } from '../../runtime/log-date.ts';
import { logLevels } from '../../runtime/log-options.ts';
import type { AppenderOptions, LogLevel } from '../../runtime/log-options.ts';
import { facts, isAbsent, leaf, listOf, section } from '../leaf.ts';
import { choice, flag, optionalText, wholeNumber } from '../leaves.ts';

const appenderKeys = z.strictObject({
  type: choice('Where records go', 'console', ['console', 'file']),
  threshold: level('Records below this level are left out', 'ALL'),
  timeZone: leaf({
    about: 'Zone in which times are written, and in which the day of a file begins',
    allowed: 'IANA name (`Asia/Colombo`), offset (`GMT+5:30`) or `system`',
    fallback: 'UTC',
    read: knownTimeZone,
  }),
  logFormat: optionalText('logback pattern by which records are laid out', { allowed: 'logback pattern', shown: 'one JSON object a line' }),
  target: choice('For the console: which stream', 'stdout', ['stdout', 'stderr']),
  currentLogFilename: optionalText('For a file: its path', { allowed: 'path', shown: 'none, required' }),
  archive: flag('For a file: whether it is moved away when its day is over', true),
  archivedLogFilenamePattern: optionalText(
    'For a file with `archive`: path of the archived files, with `%d` or `%d{yyyy-MM-dd-HH}`; ending in `.gz` or `.zip` they are compressed',
    { pattern: /%d/, allowed: 'path with %d', shown: 'none, required' },
  ),
  archivedFileCount: wholeNumber('For a file with `archive`: how many archived files are kept', 5, [1, 50]),
});

const appender = section(appenderKeys.superRefine((keys, context) => {
  if (keys.type !== 'file') return;
  const missing = (name: string): void => context.addIssue({ code: 'custom', path: [name], message: 'missing, and type is file; allowed: a path' });
  if (keys.currentLogFilename === undefined) missing('currentLogFilename');
  if (keys.archive && keys.archivedLogFilenamePattern === undefined) missing('archivedLogFilenamePattern');
}).transform((keys): AppenderOptions => {
  const { type, threshold, timeZone, logFormat, target, currentLogFilename = '', archive, archivedLogFilenamePattern, archivedFileCount } = keys;
  if (type === 'console') return { type, threshold, timeZone, logFormat, target };
  return { type, threshold, timeZone, logFormat, currentLogFilename, archive, archivedLogFilenamePattern, archivedFileCount };
}));

/** Dropwizard also takes `{level: DEBUG, additive: ...}` for a logger. */
const loggers = z.preprocess(
  (found) => (isAbsent(found) ? {} : found),
  z.record(z.string(), z.preprocess((found) => (isSection(found) ? found['level'] : found), level('', 'INFO'))),
).register(facts, {
  about: 'Level by logger name; the longest matching name decides. `com.wso2telco` means the whole service, `io.dropwizard` its listeners (`http`)',
  allowed: 'names and their levels',
  default: 'none',
  secret: false,
});

export const loggingSection = section(z.strictObject({
  level: level('Records below this level are left out', 'INFO'),
  loggers,
  appenders: listOf(appender, 'Where records go; an empty list: nowhere', 'one, to the console', [{}]),
}));

function level(about: string, fallback: LogLevel): z.ZodType<LogLevel> {
  const read = (found: string): LogLevel | undefined => {
    const word = { TRUE: 'ALL', FALSE: 'OFF' }[found.toUpperCase()] ?? found.toUpperCase();
    return logLevels.find((known) => known === word);
  };
  return leaf<LogLevel>({ about, fallback, allowed: logLevels.join(', '), read });
}

function isSection(found: unknown): found is Record<string, unknown> {
  return typeof found === 'object' && found !== null && !Array.isArray(found);
}
