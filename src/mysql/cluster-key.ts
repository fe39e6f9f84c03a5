import { randomBytes } from 'node:crypto';

import { StoreUnavailable } from '../domain/errors.ts';
import { Secret } from '../domain/secret.ts';
import type { KeyRing } from '../runtime/key-ring.ts';
import type { Database } from './connection.ts';
import { StatementFailed } from './failure.ts';

const name = 'cluster';
const place = `tstkey:${name}`;
const keyBytes = 32;

/**
 * The cluster's own key (32 bytes, base64), made by the first node and kept in `tstkey` for the life of the database:
 * fingerprints of refresh tokens must not change when the sealing keys do. It is sealed where there is a key ring.
 * A user that may only read gets by once it is there.
 * @throws Unsealable where its key is not in the ring
 */
export async function clusterKey(db: Database, ring: KeyRing): Promise<Secret> {
  const stored = (await read(db)) ?? (await create(db, ring));
  const key = ring.unseal(stored, place);
  if (Buffer.from(key, 'base64').length !== keyBytes) throw new Error('The row "cluster" of tstkey does not hold a key; restore it from a backup');
  if (ring.wantsSealing(stored)) await seal(db, stored, ring.seal(key, place));
  return new Secret(key);
}

async function read(db: Database): Promise<string | undefined> {
  const [row] = await db.query<{ value: string }>({ label: 'key.read', sql: 'SELECT value FROM tstkey WHERE name = ?', params: [name] });
  return row?.value;
}

/** Of many nodes that create one at once the first wins. */
async function create(db: Database, ring: KeyRing): Promise<string> {
  const fresh = ring.seal(randomBytes(keyBytes).toString('base64'), place);
  await db.execute({ label: 'key.create', sql: 'INSERT IGNORE INTO tstkey (name, value) VALUES (?, ?)', params: [name, fresh] });
  return (await read(db)) ?? '';
}

/** Whoever may not write leaves it to the next node. */
async function seal(db: Database, stored: string, sealed: string): Promise<void> {
  try {
    await db.execute({ label: 'key.seal', sql: 'UPDATE tstkey SET value = ? WHERE name = ? AND value = ?', params: [sealed, name, stored] });
  } catch (error) {
    if (!(error instanceof StatementFailed || error instanceof StoreUnavailable)) throw error;
  }
}
