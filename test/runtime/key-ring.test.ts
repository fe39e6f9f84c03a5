import { randomBytes } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { Fingerprints, KeyRing, transitKeys, Unsealable } from '../../src/runtime/key-ring.ts';

const key = (): Secret => new Secret(randomBytes(32).toString('base64'));
const place = 'tsttoken:42:accesstoken';

describe('The key ring', () => {
  const old = { id: 'old', key: key() };
  const recent = { id: 'recent', key: key() };

  it('gives back what it sealed, for tokens of 8 KB too', () => {
    const ring = new KeyRing([recent]);
    const token = 'é'.repeat(4096);
    const sealed = ring.seal(token, place);
    expect(sealed).toMatch(/^sealed:v1:recent:[\w-]+$/);
    expect(ring.unseal(sealed, place)).toBe(token);
  });

  it('reads with every key and writes with the active one', () => {
    const sealedBefore = new KeyRing([old]).seal('token', place);
    const ring = new KeyRing([recent, old], 'recent');
    expect(ring.unseal(sealedBefore, place)).toBe('token');
    expect(ring.wantsSealing(sealedBefore)).toBe(true);
    expect(ring.wantsSealing(ring.seal('token', place))).toBe(false);
  });

  it('refuses a value that was moved to another row, changed, or sealed with an unknown key', () => {
    const ring = new KeyRing([recent]);
    const sealed = ring.seal('token', place);
    expect(() => ring.unseal(sealed, 'tsttoken:43:accesstoken')).toThrow(Unsealable);
    expect(() => ring.unseal(sealed.slice(0, -4) + (sealed.endsWith('AAAA') ? 'BBBB' : 'AAAA'), place)).toThrow(Unsealable);
    expect(() => new KeyRing([old]).unseal(sealed, place)).toThrow('the key "recent" is not in the key ring');
  });

  it('accepts values that stand in the clear and asks for their sealing', () => {
    const ring = new KeyRing([recent]);
    expect(ring.unseal('clear', place)).toBe('clear');
    expect(ring.wantsSealing('clear')).toBe(true);
  });

  it('leaves values in the clear where there is no key', () => {
    const ring = new KeyRing([]);
    expect(ring.seals).toBe(false);
    expect(ring.seal('clear', place)).toBe('clear');
    expect(ring.wantsSealing('clear')).toBe(false);
  });

  it('seals what leaves the database even where no key is configured', () => {
    const cluster = key();
    const sealed = new KeyRing(transitKeys([], cluster)).seal('token', place);
    expect(sealed).toMatch(/^sealed:v1:cluster:/);
    expect(new KeyRing(transitKeys([], cluster)).unseal(sealed, place)).toBe('token');
  });

  it('reads what left the database before a key was configured', () => {
    const cluster = key();
    const sealed = new KeyRing(transitKeys([], cluster)).seal('token', place);
    const configured = new KeyRing(transitKeys([{ id: 'k1', key: key() }], cluster));
    expect(configured.unseal(sealed, place)).toBe('token');
    expect(configured.seal('token', place)).toMatch(/^sealed:v1:k1:/);
  });
});

describe('Fingerprints', () => {
  it('tell refresh tokens and slots apart and do not reveal them', () => {
    const prints = new Fingerprints(key());
    const one = prints.ofRefreshToken(new Secret('rt-1'));
    expect(one).toHaveLength(32);
    expect(one.equals(prints.ofRefreshToken(new Secret('rt-1')))).toBe(true);
    expect(one.equals(prints.ofRefreshToken(new Secret('rt-2')))).toBe(false);
    expect(prints.slotOf(1, new Secret('a'))).toMatch(/^[0-9a-f]{16}$/);
    expect(prints.slotOf(1, new Secret('a'))).not.toBe(prints.slotOf(2, new Secret('a')));
  });
});
