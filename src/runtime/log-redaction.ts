import { Secret } from '../domain/secret.ts';
import { maskText, mustHide } from './log-masking.ts';

const deepest = 6;
const mostEntries = 100;
/** A name in which nothing can hide. */
const harmless = /^\w{1,24}$/;
/** What each record carries itself; a field of that name is written with a trailing `_`. */
const taken = new Set(['level', 'time', 'logger', 'msg']);

/** A plain copy of a record's fields that is safe to write: no secret, no cycle, no getter that throws, bounded in depth and size. */
export function redactFields(fields: object): Record<string, unknown> {
  const safe = redactEntries(entriesOf(fields), 1, [fields]);
  return Object.fromEntries(Object.entries(safe).map(([name, value]) => [taken.has(name) ? `${name}_` : name, value]));
}

function redact(value: unknown, depth: number, parents: readonly object[]): unknown {
  switch (typeof value) {
    case 'string':
      return maskText(value);
    case 'bigint':
    case 'symbol':
      return value.toString();
    case 'function':
      return '[function]';
    case 'object':
      return value === null ? null : redactObject(value, depth, parents);
    default:
      return value;
  }
}

function redactObject(value: object, depth: number, parents: readonly object[]): unknown {
  if (value instanceof Secret) return '[secret]';
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof URL) return maskText(value.href);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (parents.includes(value)) return '[circular]';
  if (depth > deepest) return '[deeper]';
  const lineage = [...parents, value];
  if (value instanceof Error) return redactError(value, depth, lineage);
  if (value instanceof Map) return redactEntries([...value].map(([key, held]) => [String(key), held]), depth + 1, lineage);
  if (value instanceof Set) return redactList([...value], depth, lineage);
  return Array.isArray(value) ? redactList(value, depth, lineage) : redactEntries(entriesOf(value), depth + 1, lineage);
}

/** Only what is known to be harmless: other properties of an error may hold a request with its headers. */
function redactError(error: Error, depth: number, lineage: readonly object[]): Record<string, unknown> {
  const { code, cause, errors } = error as Error & { code?: unknown; errors?: unknown };
  const safe: Record<string, unknown> = { type: error.name, message: maskText(error.message) };
  if (typeof error.stack === 'string') safe['stack'] = maskText(error.stack);
  if (typeof code === 'string' || typeof code === 'number') safe['code'] = redact(code, depth, lineage);
  if (Array.isArray(errors)) safe['errors'] = redactList(errors, depth, lineage);
  if (cause !== undefined) safe['cause'] = redact(cause, depth + 1, lineage);
  return safe;
}

function redactList(values: readonly unknown[], depth: number, lineage: readonly object[]): unknown[] {
  const safe = values.slice(0, mostEntries).map((value) => redact(value, depth + 1, lineage));
  return values.length > mostEntries ? [...safe, `[${values.length - mostEntries} more]`] : safe;
}

function redactEntries(entries: readonly (readonly [string, unknown])[], depth: number, lineage: readonly object[]): Record<string, unknown> {
  const safe: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of entries.slice(0, mostEntries)) {
    safe[harmless.test(name) ? name : maskText(name)] = mustHide(name, value) ? (value instanceof Secret ? '[secret]' : '[redacted]') : redact(value, depth, lineage);
  }
  if (entries.length > mostEntries) safe['...'] = `[${entries.length - mostEntries} more]`;
  return safe;
}

function entriesOf(value: object): [string, unknown][] {
  return Object.keys(value).map((name) => [name, read(value, name)]);
}

function read(value: object, name: string): unknown {
  try {
    return (value as Record<string, unknown>)[name];
  } catch {
    return '[unreadable]';
  }
}
