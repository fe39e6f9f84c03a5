import { Secret } from '../domain/secret.ts';
import type { Config } from './config.ts';

/** The settings as one object for the log at start-up: plain, complete, without a secret. */
export function describeConfig({ warnings: _, ...config }: Config): Record<string, unknown> {
  return plain(config) as Record<string, unknown>;
}

function plain(value: unknown): unknown {
  if (value instanceof Secret) return '[secret]';
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, held]) => (held === undefined ? [] : [[key, plain(held)]])));
}
