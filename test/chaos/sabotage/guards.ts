import { registerHooks } from 'node:module';

interface Removal {
  /** Below dist/. */
  readonly module: string;
  /** Stands exactly once in the module. */
  readonly text: string;
  readonly instead: string;
}

/** What keeps a refresh token from being sent twice or lost, and how it is taken out. */
export const guards = {
  'claim compare-and-set': [
    { module: 'mysql/claims.js', text: `AND COALESCE(uc, 0) = ? AND state = 'idle'\``, instead: `AND COALESCE(uc, 0) <= ? + 1000\`` },
  ],
} as const satisfies Readonly<Record<string, readonly Removal[]>>;

export type Guard = keyof typeof guards;

/** Loads the modules concerned without these guards. A text that is not there any more is an error: the guard would silently be in place. */
export function removeGuards(root: URL, names: readonly Guard[]): void {
  const removals: readonly Removal[] = names.flatMap((name) => guards[name]);
  if (removals.length === 0) return;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const mine = removals.filter(({ module }) => url === new URL(module, root).href);
      if (mine.length === 0 || !loaded.source) return loaded;
      return { ...loaded, source: mine.reduce(remove, Buffer.from(loaded.source as Uint8Array).toString('utf8')) };
    },
  });
}

function remove(source: string, { module, text, instead }: Removal): string {
  const parts = source.split(text);
  if (parts.length !== 2) throw new Error(`${module} has the text of a guard ${parts.length - 1} times instead of once: ${text}`);
  return parts.join(instead);
}
