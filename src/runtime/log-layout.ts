import { isoTime, javaDate } from './log-date.ts';
import type { RecordLevel } from './log-options.ts';
import { parsePattern } from './log-pattern.ts';
import type { Piece } from './log-pattern.ts';

/** One record as pino wrote it: a JSON object in a line, its time in epoch ms. */
export type Layout = (line: string) => string;

export interface LogRecord {
  readonly level: RecordLevel;
  readonly time: number;
  readonly logger: string;
  readonly msg: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const timeField = '"time":';

/** The line as it is, its time written as ISO 8601 in the zone. */
export function jsonLayout(timeZone: string): Layout {
  return (line) => {
    const start = line.indexOf(timeField) + timeField.length;
    const end = line.indexOf(',', start);
    return `${line.slice(0, start)}"${isoTime(Number(line.slice(start, end)), timeZone)}"${line.slice(end)}`;
  };
}

/** The record by a logback pattern. Fields that the pattern does not name follow the message as `name=value`. */
export function patternLayout(pattern: string, timeZone: string): Layout {
  const pieces = parsePattern(pattern);
  const named = new Set(pieces.map((piece) => piece.word));
  const context = { timeZone, fieldsNamed: named.has('kvp'), errorNamed: named.has('ex') || named.has('nopex') };
  return (line) => {
    const record = parseRecord(line);
    const text = pieces.map((piece) => fit(render(piece, record, context), piece)).join('');
    const stack = context.errorNamed ? '' : stackText(record);
    return `${text}${text.endsWith('\n') ? '' : '\n'}${stack}`;
  };
}

interface Context {
  readonly timeZone: string;
  readonly fieldsNamed: boolean;
  readonly errorNamed: boolean;
}

function parseRecord(line: string): LogRecord {
  const { level, time, logger, msg, ...fields } = JSON.parse(line) as Omit<LogRecord, 'fields'> & Record<string, unknown>;
  return { level, time, logger, msg, fields };
}

function render({ word, options }: Piece, record: LogRecord, context: Context): string {
  switch (word) {
    case 'literal':
      return options[0] ?? '';
    case 'date':
      return javaDate(record.time, options[0] ?? '', options[1] ?? context.timeZone);
    case 'level':
      return record.level;
    case 'logger':
      return abbreviate(record.logger, options[0]);
    case 'msg':
      return oneLine(context.fieldsNamed ? record.msg : [record.msg, ...fieldTexts(record)].filter(Boolean).join(' '));
    case 'kvp':
      return oneLine(fieldTexts(record).join(' '));
    case 'ex':
      return stackText(record);
    case 'thread':
      return 'main';
    case 'n':
      return '\n';
    case 'nopex':
    case 'empty':
      return '';
  }
}

function fieldTexts({ fields }: LogRecord): string[] {
  return Object.entries(fields).map(([name, value]) => {
    if (isError(value)) return `${name}=${JSON.stringify(headline(value))}`;
    return `${name}=${typeof value === 'string' && /^[\w.:@/+-]+$/.test(value) ? value : JSON.stringify(value)}`;
  });
}

/** The stack of every error among the fields, causes included, each line ended. */
function stackText({ fields }: LogRecord): string {
  return Object.values(fields).filter(isError).map((error) => chain(error, '')).join('');
}

function chain(error: ErrorField, introduction: string): string {
  const text = `${introduction}${typeof error.stack === 'string' ? error.stack : headline(error)}\n`;
  return isError(error.cause) ? text + chain(error.cause, 'Caused by: ') : text;
}

function headline({ type, message }: ErrorField): string {
  return `${String(type)}: ${String(message)}`;
}

interface ErrorField {
  readonly type: unknown;
  readonly message: unknown;
  readonly stack?: unknown;
  readonly cause?: unknown;
}

function isError(value: unknown): value is ErrorField {
  return typeof value === 'object' && value !== null && 'type' in value && 'message' in value;
}

/** A caller's text must not be able to forge a record of its own. */
function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f\u0085\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** logback's rule: parents shrink to their first letter, from the left, until the name fits; 0 leaves the last part. */
function abbreviate(name: string, target: string | undefined): string {
  if (target === undefined) return name;
  const parts = name.split('.');
  const last = parts.length - 1;
  if (Number(target) === 0) return parts[last] ?? '';
  for (let index = 0; index < last && parts.join('.').length > Number(target); index += 1) parts[index] = (parts[index] ?? '').slice(0, 1);
  return parts.join('.');
}

/** `%-5level`: at least 5 wide, filled on the right; `%.30logger`: at most 30, cut on the left; `%.-30logger`: cut on the right. */
function fit(text: string, { least, most }: Piece): string {
  let fitted = text;
  if (most !== undefined && fitted.length > Math.abs(most)) fitted = most < 0 ? fitted.slice(0, -most) : fitted.slice(fitted.length - most);
  if (least === undefined) return fitted;
  return least < 0 ? fitted.padEnd(-least) : fitted.padStart(least);
}
