import { Secret } from '../domain/secret.ts';
import type { Logger } from '../runtime/log.ts';
import type { Errand, ErrandAnswer } from './errand.ts';

export type ToCourier =
  | { readonly type: 'start'; readonly setup: object }
  | { readonly type: 'errand'; readonly errand: Errand }
  | { readonly type: 'stop' };

/** What went wrong with keeping: `journal`, the journal did not take a record in time; `unkept`, no place took a granted answer. */
export type RecordingFault = 'journal' | 'unkept';

export type FromCourier =
  | { readonly type: 'ready' }
  | { readonly type: 'answer'; readonly attempt: string; readonly answer: ErrandAnswer }
  | { readonly type: 'fault'; readonly fault: RecordingFault }
  | { readonly type: 'log'; readonly level: keyof Logger; readonly fields: object; readonly message: string };

const wrapping = 'secret value';

/** The one place where secrets are revealed on their way to and from the courier: the channel is a socket between two processes. */
export function packed(message: ToCourier | FromCourier): object {
  return mapped(message, (value) => (value instanceof Secret ? { [wrapping]: value.reveal() } : undefined)) as object;
}

export function unpacked(message: unknown): unknown {
  return mapped(message, (value) => {
    const text = (value as Record<string, unknown>)[wrapping];
    return typeof text === 'string' ? new Secret(text) : undefined;
  });
}

/** A copy in which each object that `replace` has something for is replaced by it. */
function mapped(value: unknown, replace: (value: object) => unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const replacement = replace(value);
  if (replacement !== undefined) return replacement;
  if (Array.isArray(value)) return value.map((item) => mapped(item, replace));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapped(item, replace)]));
}
