import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

/** A text of a built module that is replaced as the module is loaded. */
interface FromModule {
  /** Below dist/. */
  readonly module: string;
  /** Stands exactly once in the module. */
  readonly text: string;
  readonly instead: string;
}

/** A statement that takes a guard out of the database, before the first node starts. */
interface FromSchema {
  readonly sql: string;
}

type Removal = FromModule | FromSchema;

/** What keeps a refresh token from being sent twice, lost, or handed out when a newer one is there; and how it is taken out. */
export const guards = {
  'claim compare-and-set': [
    { module: 'mysql/claims.js', text: `WHERE tokendid = ? AND isvalid = 1 AND COALESCE(uc, 0) = ? AND state = 'idle'`, instead: 'WHERE tokendid = ? AND ? >= 0' },
  ],
  'unique fingerprint': [{ sql: 'ALTER TABLE tstspent DROP PRIMARY KEY, ADD KEY ix03tstspent (fingerprint)' }],
  'unique parent': [{ sql: 'ALTER TABLE tsttoken DROP KEY uk01tsttoken, ADD KEY ix03tsttoken (parenttokendid)' }],
  'version check in Redis': [{ module: 'redis/scripts.js', text: 'if version > newVersion or (version == newVersion and (uc > newUc or (uc == newUc and not isGivenBack))) then return 0 end', instead: '' }],
  'epoch lock': [
    { module: 'mysql/claims.js', text: 'epochIn(epochs) !== claim.epoch', instead: 'false' },
    { module: 'mysql/claims.js', text: '(await lockEpoch(tx)) !== claim.epoch', instead: 'false' },
  ],
  'journal': [{ module: 'journal/journal.js', text: 'return this.#enqueue(entry, true);', instead: 'return Promise.resolve();' }],
  'in-doubt rule': [
    { module: 'mysql/claims.js', text: `AND (w.providerpolicy = 'non_rotating' OR (w.providerpolicy = 'grace' AND s.createdtime + INTERVAL w.gracems * 1000 MICROSECOND > NOW(3)))`, instead: '' },
  ],
  // Each of these stands beside one of the above, and would hold where that one did not.
  'attempt check of the record': [{ module: 'mysql/outcomes.js', text: 'parent?.isvalid === true && parent.attempt === token.attempt', instead: 'parent !== undefined' }],
  'policy check of the settler': [{ module: 'leader/orphan-settler.js', text: `settlement(owner.providerPolicy, owner.graceMs, ageMs) === 'ask_again'`, instead: 'true' }],
  'unsent claims end with the term': [{ module: 'pool/refresh-token.js', text: 'this.#carryOut(claimed, term, cause)', instead: 'this.#carryOut(claimed, { signal: new AbortController().signal }, cause)' }],
} as const satisfies Readonly<Record<string, readonly Removal[]>>;

export type Guard = keyof typeof guards;

/** Loads the modules concerned without these guards. @throws where one of their texts is not there any more, exactly once: its guard would silently be in place */
export function removeGuards(root: URL, names: readonly Guard[]): void {
  const byUrl = Map.groupBy(removalsOf(names).filter((removal) => 'module' in removal), ({ module }) => new URL(module, root).href);
  for (const [url, removals] of byUrl) removals.reduce(remove, readFileSync(new URL(url), 'utf8'));
  if (byUrl.size === 0) return;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const removals = byUrl.get(url);
      if (!removals) return loaded;
      if (!loaded.source) throw new Error(`${url} was loaded with its guards`);
      return { ...loaded, source: removals.reduce(remove, Buffer.from(loaded.source as Uint8Array).toString('utf8')) };
    },
  });
}

/** What is to be carried out on the database of nodes that are without these guards. */
export function schemaRemovals(names: readonly Guard[]): string[] {
  return removalsOf(names).flatMap((removal) => ('sql' in removal ? [removal.sql] : []));
}

function removalsOf(names: readonly Guard[]): readonly Removal[] {
  return names.flatMap((name): readonly Removal[] => guards[name]);
}

function remove(source: string, { module, text, instead }: FromModule): string {
  const parts = source.split(text);
  if (parts.length !== 2) throw new Error(`${module} has the text of a guard ${parts.length - 1} times instead of once: ${text}`);
  return parts.join(instead);
}
