import { accessSync, constants, readFileSync } from 'node:fs';

import type { z } from 'zod';

import { Secret } from '../domain/secret.ts';
import { leaf, Refusal } from './leaf.ts';

export function wholeNumber(about: string, fallback: number, [min, max]: readonly [number, number], unit?: string): z.ZodType<number> {
  return leaf({ about, fallback, allowed: `whole number, ${min} to ${max}${unit === undefined ? '' : ` ${unit}`}`, read: within(min, max) });
}

/** A whole number that is undefined where it is not set. */
export function optionalNumber(about: string, shown: string, [min, max]: readonly [number, number], unit?: string): z.ZodType<number | undefined> {
  const allowed = `whole number, ${min} to ${max}${unit === undefined ? '' : ` ${unit}`}`;
  return leaf<number | undefined>({ about, fallback: undefined, shown, allowed, read: within(min, max) });
}

export function milliseconds(about: string, fallback: number, range: readonly [number, number]): z.ZodType<number> {
  return wholeNumber(about, fallback, range, 'ms');
}

export function fraction(about: string, fallback: number, [min, max]: readonly [number, number]): z.ZodType<number> {
  const read = (text: string): number | undefined => {
    const value = /^\d*\.?\d+$/.test(text) ? Number(text) : NaN;
    return value >= min && value <= max ? value : undefined;
  };
  return leaf({ about, fallback, allowed: `number, ${min} to ${max}`, read });
}

export function flag(about: string, fallback: boolean): z.ZodType<boolean> {
  return leaf({ about, fallback, allowed: 'true or false', read: readFlag });
}

export function readFlag(text: string): boolean | undefined {
  return { true: true, false: false }[text.toLowerCase()];
}

/** One of some words, in any case. */
export function choice<const W extends string>(about: string, fallback: NoInfer<W>, words: readonly W[]): z.ZodType<W> {
  return leaf<W>({ about, fallback, allowed: words.join(', '), read: (text) => words.find((word) => word.toLowerCase() === text.toLowerCase()) });
}

export function text(about: string, fallback: string, { pattern = /^/, allowed = 'text' }: { pattern?: RegExp; allowed?: string } = {}): z.ZodType<string> {
  return leaf({ about, fallback, allowed, read: (found) => (pattern.test(found) ? found : undefined) });
}

/** @param shown what holds where it is not set */
export function optionalText(about: string, { pattern = /^/, allowed = 'text', shown = 'none' }: { pattern?: RegExp; allowed?: string; shown?: string } = {}): z.ZodType<string | undefined> {
  return leaf<string | undefined>({ about, fallback: undefined, shown, allowed, read: (found) => (pattern.test(found) ? found : undefined) });
}

export function secretText(about: string, shown = 'none'): z.ZodType<Secret | undefined> {
  return leaf<Secret | undefined>({ about, fallback: undefined, shown, allowed: 'text', secret: true, read: (found) => new Secret(found) });
}

/** The path of a file that this process can read. */
export function readableFile(about: string): z.ZodType<string | undefined> {
  const read = (file: string): string | Refusal => {
    try {
      accessSync(file, constants.R_OK);
      return file;
    } catch (error) {
      return new Refusal(`cannot be read (${codeOf(error)})`);
    }
  };
  return leaf<string | undefined>({ about, fallback: undefined, allowed: 'path of a readable file', read });
}

/** PEM itself, or the path of a file with it. */
export function pem(about: string, shown = 'none'): z.ZodType<string | undefined> {
  return leaf<string | undefined>({ about, fallback: undefined, shown, allowed: 'PEM, or the path of a PEM file', secret: true, read: readPem });
}

export function secretPem(about: string): z.ZodType<Secret | undefined> {
  const read = (found: string): Secret | Refusal => {
    const value = readPem(found);
    return value instanceof Refusal ? value : new Secret(value);
  };
  return leaf<Secret | undefined>({ about, fallback: undefined, allowed: 'PEM, or the path of a PEM file', secret: true, read });
}

/** The content of a small file without the line break at its end, or why it cannot be read. */
export function contentOf(file: string): string | Refusal {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    return new Refusal(`cannot be read (${codeOf(error)})`);
  }
}

function readPem(found: string): string | Refusal {
  const content = found.includes('-----BEGIN ') ? found : contentOf(found);
  if (content instanceof Refusal || content.includes('-----BEGIN ')) return content;
  return new Refusal('is a file without PEM');
}

function within(min: number, max: number): (found: string) => number | undefined {
  return (found) => {
    const value = readWholeNumber(found);
    return value !== undefined && value >= min && value <= max ? value : undefined;
  };
}

/** Takes `1_000` as YAML 1.1 does. */
export function readWholeNumber(found: string): number | undefined {
  if (!/^[+-]?\d[\d_]*$/.test(found)) return undefined;
  const value = Number(found.replaceAll('_', ''));
  return Number.isSafeInteger(value) ? value : undefined;
}

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'error';
}
