import { expect, test } from 'vitest';

import type { Owner } from '../../src/domain/owner.ts';
import { Secret } from '../../src/domain/secret.ts';
import { handOutMarginMs, isUsable, type Token } from '../../src/domain/token.ts';
import { liveView } from '../../src/pool/live-view.ts';

const now = 1_000_000;
const owner = { refreshMode: 'auto' } as Owner;

function token(slot: string, leftMs: number, state: Token['state']): Token {
  return { slot, version: 1, uc: 1, state, issuedAt: now, validityMs: leftMs, accessToken: new Secret('access') } as Token;
}

test('a token under refresh is withdrawn exactly as long as the other of its owner can be handed out', () => {
  for (const otherLeftMs of [-1, 0, 1, handOutMarginMs, handOutMarginMs + 1, 60_000]) {
    const [own, other] = [token('a', 60_000, 'claimed'), token('b', otherLeftMs, 'idle')];
    const isOtherUsable = isUsable(liveView(owner, other, [own, other], now), now);
    expect(liveView(owner, own, [own, other], now).phase, `${otherLeftMs} ms left`).toBe(isOtherUsable ? 'withdrawn' : 'ready');
  }
});
