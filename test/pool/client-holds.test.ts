import { expect, test } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import type { Owner } from '../../src/domain/owner.ts';
import type { Token } from '../../src/domain/token.ts';
import { ClientHolds } from '../../src/pool/client-holds.ts';
import { ClusterClock } from '../../src/runtime/clock.ts';

const owner = { tokenUrl: 'https://provider.example/token' } as Owner;
const ofClient = (client: string): Token => ({ auth: new Secret(client) }) as Token;

test('a hold is for all tokens of the client and for no other', () => {
  const holds = new ClientHolds(new ClusterClock());
  holds.refused(owner, ofClient('a'));
  holds.hold(owner, ofClient('a'), Infinity);
  expect(holds.heldUntil(owner, ofClient('a'))).toBe(Infinity);
  expect(holds.heldUntil(owner, ofClient('b'))).toBeUndefined();
});

test('refusals of attempts that were under way at the same time count as one', () => {
  const clock = new ClusterClock();
  const holds = new ClientHolds(clock);
  expect(holds.refused(owner, ofClient('a')).count).toBe(1);
  holds.hold(owner, ofClient('a'), clock.now() + 60_000);
  expect(holds.refused(owner, ofClient('a')).count).toBe(1);
  holds.hold(owner, ofClient('a'), clock.now() + 10);
  expect(holds.heldUntil(owner, ofClient('a'))).toBeGreaterThan(clock.now() + 50_000);
});

test('a new term knows of no hold: the client may have been put right under another master', () => {
  const holds = new ClientHolds(new ClusterClock());
  holds.refused(owner, ofClient('a'));
  holds.hold(owner, ofClient('a'), Infinity);
  holds.forgetAll();
  expect(holds.heldUntil(owner, ofClient('a'))).toBeUndefined();
  expect(holds.refused(owner, ofClient('a')).count).toBe(1);
});

test('when a hold has run out, one token tries for all and the others go on waiting', () => {
  const clock = new ClusterClock();
  const holds = new ClientHolds(clock);
  const numbered = (version: number): Token => ({ ...ofClient('a'), version });
  holds.refused(owner, numbered(1));
  holds.hold(owner, numbered(1), clock.now() - 1);
  expect(holds.admit(owner, numbered(2))).toBeUndefined();
  expect(holds.admit(owner, numbered(3))).toBeGreaterThan(clock.now());
  expect(holds.admit(owner, numbered(2))).toBeUndefined();
  expect(holds.refused(owner, numbered(2))).toEqual({ count: 2, heldUntil: undefined });
  holds.release(owner, numbered(2));
  expect(holds.admit(owner, numbered(3))).toBeUndefined();
});
