import type { Writable } from 'node:stream';

import { pino } from 'pino';

import { ConsoleSink } from './log-console.ts';
import { LogArchive } from './log-archive.ts';
import { FileSink } from './log-file.ts';
import { jsonLayout, patternLayout } from './log-layout.ts';
import type { Layout } from './log-layout.ts';
import { levelOf } from './log-levels.ts';
import { maskText } from './log-masking.ts';
import { passes } from './log-options.ts';
import type { AppenderOptions, LoggingOptions, LogLevel, RecordLevel } from './log-options.ts';
import { redactFields } from './log-redaction.ts';
import { complainOnStderr } from './log-sink.ts';
import type { Complain, LogSink } from './log-sink.ts';
import type { Logger } from './log.ts';

export interface Logging {
  /** @param name dotted, such as `pool.refresh`; its level is that of the longest configured name it lies within */
  logger(name: string): Logger;
  /** Writes out what is waiting; records after it are lost. Harmless twice. */
  close(): Promise<void>;
}

export interface LoggingParts {
  /** Fields of every record, such as the node's name. */
  readonly base?: Readonly<Record<string, string>>;
  /** Epoch ms. */
  readonly now?: () => number;
  readonly console?: { readonly stdout: Writable; readonly stderr: Writable };
  readonly complain?: Complain;
}

type PinoLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

interface Appender {
  readonly threshold: LogLevel;
  readonly layout: Layout;
  readonly sink: LogSink;
}

/** The process's log. Nothing in it throws, blocks, or writes a secret it can recognise. */
export function createLogging(options: LoggingOptions, parts: LoggingParts = {}): Logging {
  const { now = Date.now, complain = complainOnStderr } = parts;
  const appenders = options.appenders.map((appender) => openAppender(appender, parts, complain));
  const root = pino(pinoOptions(parts.base ?? {}, now), { write: (line: string) => deliver(line, appenders, complain) });
  let closed: Promise<void> | undefined;
  return {
    logger: (name) => new PinoLogger(root.child({ logger: name }, { level: pinoLevel(levelOf(name, options)) })),
    close: async () => (closed ??= closeAll(appenders)),
  };
}

class PinoLogger implements Logger {
  readonly #pino: pino.Logger;

  constructor(child: pino.Logger) {
    this.#pino = child;
  }

  trace(fields: object, message: string): void {
    this.#write('trace', fields, message);
  }

  debug(fields: object, message: string): void {
    this.#write('debug', fields, message);
  }

  info(fields: object, message: string): void {
    this.#write('info', fields, message);
  }

  warn(fields: object, message: string): void {
    this.#write('warn', fields, message);
  }

  error(fields: object, message: string): void {
    this.#write('error', fields, message);
  }

  #write(level: PinoLevel, fields: object, message: string): void {
    if (!this.#pino.isLevelEnabled(level)) return;
    try {
      this.#pino[level](redactFields(fields), maskText(message));
    } catch {
      this.#pino[level]({ fieldsLost: true }, maskText(message));
    }
  }
}

function pinoOptions(base: Readonly<Record<string, string>>, now: () => number): pino.LoggerOptions {
  return {
    level: 'trace',
    base,
    timestamp: () => `,"time":${Math.floor(now())}`,
    formatters: { level: (label) => ({ level: label.toUpperCase() }) },
    serializers: { err: (value: unknown) => value },
  };
}

function pinoLevel(level: LogLevel): pino.LevelWithSilent {
  if (level === 'OFF') return 'silent';
  return level === 'ALL' ? 'trace' : (level.toLowerCase() as PinoLevel);
}

function openAppender(options: AppenderOptions, { console = process }: LoggingParts, complain: Complain): Appender {
  const { threshold, logFormat, timeZone } = options;
  const layout = logFormat === undefined ? jsonLayout(timeZone) : patternLayout(logFormat, timeZone);
  const sink = options.type === 'console' ? new ConsoleSink(console[options.target], complain) : openFile(options, complain);
  return { threshold, layout, sink };
}

function openFile(options: Extract<AppenderOptions, { type: 'file' }>, complain: Complain): FileSink {
  const { currentLogFilename: file, archive, archivedLogFilenamePattern: pattern, archivedFileCount: keep, timeZone } = options;
  return new FileSink({ file, complain, archive: archive && pattern !== undefined ? new LogArchive({ pattern, timeZone, keep }) : undefined });
}

/** pino's line begins `{"level":"INFO","time":1700000000000,`. */
const lineStart = /^\{"level":"([A-Z]+)","time":(\d+)/;

function deliver(line: string, appenders: readonly Appender[], complain: Complain): void {
  const [, level, time] = lineStart.exec(line) ?? [];
  for (const { threshold, layout, sink } of appenders) {
    if (!passes(level as RecordLevel, threshold)) continue;
    try {
      sink.write(layout(line), Number(time));
    } catch (error) {
      complain(`A log record could not be laid out (${error instanceof Error ? error.name : 'error'}).`);
    }
  }
}

async function closeAll(appenders: readonly Appender[]): Promise<void> {
  await Promise.all(appenders.map(async ({ sink }) => sink.close()));
}
