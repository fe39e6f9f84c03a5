import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, randomBytes, type KeyObject } from 'node:crypto';

import { Secret } from '../domain/secret.ts';

const prefix = 'sealed:v1:';
const ivBytes = 12;
const tagBytes = 16;

export interface RingKey {
  /** 1 to 32 of `A-Z a-z 0-9 _ -`; stands with every value that the key sealed. */
  readonly id: string;
  /** base64 of 32 bytes. */
  readonly key: Secret;
}

/** A sealed value whose key is not in the ring, or that was changed or moved to another place. */
export class Unsealable extends Error {
  constructor(reason: string) {
    super(`A sealed value cannot be read: ${reason}`);
    this.name = 'Unsealable';
  }
}

/**
 * Seals values with AES-256-GCM (NIST SP 800-38D): several keys read, the active one writes.
 * The place of a value (such as `tsttoken:42:accesstoken`) is bound in as associated data, so a value moved to another row cannot be read.
 * Form: `sealed:v1:<key id>:<base64url of iv, ciphertext and tag>`.
 */
export class KeyRing {
  readonly #keys: ReadonlyMap<string, KeyObject>;
  readonly #active: string | undefined;

  constructor(keys: readonly RingKey[], activeId?: string) {
    this.#keys = new Map(keys.map(({ id, key }) => [id, createSecretKey(key.reveal(), 'base64')]));
    this.#active = activeId ?? keys[0]?.id;
  }

  /** False where there is no key: `seal` then leaves values in the clear. */
  get seals(): boolean {
    return this.#active !== undefined;
  }

  seal(value: string, place: string): string {
    const key = this.#active === undefined ? undefined : this.#keys.get(this.#active);
    if (this.#active === undefined || key === undefined) return value;
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(place));
    const sealed = Buffer.concat([iv, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${prefix}${this.#active}:${sealed.toString('base64url')}`;
  }

  /**
   * The value in the clear; a value that was never sealed is returned as it is.
   * @throws Unsealable
   */
  unseal(value: string, place: string): string {
    if (!isSealed(value)) return value;
    const [id = '', body = ''] = value.slice(prefix.length).split(':');
    const key = this.#keys.get(id);
    if (key === undefined) throw new Unsealable(`the key "${id}" is not in the key ring`);
    return decrypt(Buffer.from(body, 'base64url'), key, place);
  }

  /** Whether `seal` would give the value another form: it stands in the clear, or under a key that no longer writes. */
  wantsSealing(value: string): boolean {
    return this.#active !== undefined && !value.startsWith(`${prefix}${this.#active}:`);
  }
}

export function isSealed(value: string): boolean {
  return value.startsWith(prefix);
}

function decrypt(sealed: Buffer, key: KeyObject, place: string): string {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivBytes), { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(place)).setAuthTag(sealed.subarray(-tagBytes));
    return decipher.update(sealed.subarray(ivBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    throw new Unsealable(`it was changed, or does not belong to ${place}`);
  }
}

/** Keyed hashes (HMAC-SHA-256) under a key of the cluster: they survive a change of the sealing keys. */
export class Fingerprints {
  readonly #key: Buffer;

  /** @param clusterKey base64 of 32 bytes, the same on every node for the life of the database */
  constructor(clusterKey: Secret) {
    this.#key = derive(clusterKey, 'fingerprint');
  }

  /** 32 bytes that identify a refresh token and do not reveal it: the same wherever the token stands, in the rows of two owners too. */
  ofRefreshToken(token: Secret): Buffer {
    return this.#hash(`refresh:${token.reveal()}`);
  }

  /** 16 hex digits that name the slot of a client authentication within its owner. */
  slotOf(ownerDid: number, auth: Secret): string {
    return this.#hash(`slot:${ownerDid}:${auth.reveal()}`).toString('hex').slice(0, 16);
  }

  #hash(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text).digest();
  }
}

/**
 * The keys for what leaves MySQL (Redis, journal): the configured ones, and one made of the cluster's key. That one writes where none is
 * configured, so that neither ever holds a token in the clear, and still reads what it wrote once there is another.
 */
export function transitKeys(configured: readonly RingKey[], clusterKey: Secret): readonly RingKey[] {
  const own = { id: 'cluster', key: new Secret(derive(clusterKey, 'transit').toString('base64')) };
  return configured.some(({ id }) => id === own.id) ? configured : [...configured, own];
}

function derive(clusterKey: Secret, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', Buffer.from(clusterKey.reveal(), 'base64'), '', `token-pool-service ${purpose}`, 32));
}
