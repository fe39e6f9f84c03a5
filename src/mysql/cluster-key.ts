import { randomBytes } from 'node:crypto';

import { Secret } from '../domain/secret.ts';
import type { KeyRing } from '../runtime/key-ring.ts';
import type { Database } from './connection.ts';

const name = 'cluster';
const place = `tstkey:${name}`;

/**
 * The cluster's own key (32 bytes, base64), made by the first node and kept in `tstkey` for the life of the database:
 * fingerprints of refresh tokens must not change when the sealing keys do. It is sealed where there is a key ring.
 */
export async function clusterKey(db: Database, ring: KeyRing): Promise<Secret> {
  const fresh = ring.seal(randomBytes(32).toString('base64'), place);
  await db.execute({ label: 'key.create', sql: 'INSERT IGNORE INTO tstkey (name, value) VALUES (?, ?)', params: [name, fresh] });
  const [row] = await db.query<{ value: string }>({ label: 'key.read', sql: 'SELECT value FROM tstkey WHERE name = ?', params: [name] });
  const stored = row?.value ?? '';
  const key = ring.unseal(stored, place);
  if (ring.wantsSealing(stored)) await db.execute({ label: 'key.seal', sql: 'UPDATE tstkey SET value = ? WHERE name = ? AND value = ?', params: [ring.seal(key, place), name, stored] });
  return new Secret(key);
}
