import { z } from 'zod';

/** What is known of a key besides how it is read; the documentation is checked against it. */
export interface KeyFacts {
  readonly about: string;
  /** What may stand there, units and range included. */
  readonly allowed: string;
  /** As it is shown to people. */
  readonly default: string;
  /** Nothing of a value is ever shown. */
  readonly secret: boolean;
}

/** The facts of every leaf and list of the schema. */
export const facts = z.registry<KeyFacts>();

/** A value that is not taken, with a reason that does not repeat it. */
export class Refusal {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

export interface LeafOptions<T> {
  readonly about: string;
  readonly allowed: string;
  /** In place of a key that is absent or empty. */
  readonly fallback: T;
  /** How the fallback is shown, where its text alone would not do. */
  readonly shown?: string;
  readonly secret?: boolean;
  /** Undefined: the value is not one of those allowed. */
  readonly read: (text: string) => T | Refusal | undefined;
}

/** A key with one value. File and environment both give text; here it gets its type. */
export function leaf<T>({ about, allowed, fallback, shown, secret = false, read }: LeafOptions<T>): z.ZodType<T> {
  const refuse = (found: unknown, reason?: string): string => `${describeFound(found, secret)}${reason === undefined ? '' : `, which ${reason}`}; allowed: ${allowed}`;
  const schema = z.unknown().optional().transform((found, context): T => {
    if (isAbsent(found)) return fallback;
    const value = typeof found === 'string' ? read(found) : undefined;
    if (value !== undefined && !(value instanceof Refusal)) return value;
    context.addIssue({ code: 'custom', message: refuse(found, value instanceof Refusal ? value.reason : undefined) });
    return z.NEVER;
  });
  return schema.register(facts, { about, allowed, secret, default: shown ?? shownDefault(fallback) });
}

/** A list, from the environment also as JSON. @param whenAbsent its raw items when the key is absent or empty */
export function listOf<S extends z.ZodType>(item: S, about: string, shown: string, whenAbsent: readonly unknown[]): z.ZodType<z.output<S>[]> {
  const schema = z.preprocess((found) => (isAbsent(found) ? whenAbsent : found), z.array(item));
  return schema.register(facts, { about, allowed: 'a list', default: shown, secret: false });
}

/** Keys that belong together; empty is the same as absent. */
export function section<T>(schema: z.ZodType<T>): z.ZodType<T> {
  return z.preprocess((found) => (isAbsent(found) ? {} : found), schema);
}

/** `key:` and `key: ""` mean the default, as an empty environment variable does. */
export function isAbsent(found: unknown): boolean {
  return found === undefined || found === null || found === '';
}

/** Says what was found without showing more than it may. */
export function describeFound(found: unknown, secret: boolean): string {
  if (Array.isArray(found)) return 'found a list';
  if (typeof found === 'object' && found !== null) return 'found a section';
  if (secret || typeof found !== 'string') return 'found a value that is not shown';
  return `found "${found.length > 60 ? `${found.slice(0, 60)}...` : found}"`;
}

function shownDefault(fallback: unknown): string {
  return typeof fallback === 'number' || typeof fallback === 'boolean' || typeof fallback === 'string' ? String(fallback) : 'none';
}
