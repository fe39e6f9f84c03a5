import type { LiveToken } from '../domain/token.ts';
import type { KeyRing } from '../runtime/key-ring.ts';

const letters = { ready: 'r', withdrawn: 'w', given_back: 'b', gone: 'g' } as const;
const phases = { r: 'ready', w: 'withdrawn', b: 'given_back', g: 'gone' } as const;

/** The form of a live token in Redis and in the feed: `version:uc:phase:expiry:sealed access token`. */
export class LiveTokenCode {
  readonly #ring: KeyRing;

  constructor(ring: KeyRing) {
    this.#ring = ring;
  }

  encode(ownerId: string, token: LiveToken): string {
    const sealed = token.phase === 'gone' ? '' : this.#ring.seal(token.accessToken, place(ownerId, token.slot, token.version));
    return `${token.version}:${token.uc}:${letters[token.phase]}:${Math.floor(token.expiresAt)}:${sealed}`;
  }

  /**
   * undefined for a value in another form.
   * @throws Unsealable
   */
  decode(ownerId: string, slot: string, value: string): LiveToken | undefined {
    const match = /^(\d+):(\d+):([rwgb]):(\d+):(.*)$/s.exec(value);
    if (!match) return undefined;
    const [, version = '', uc = '', letter = '', expiresAt = '', sealed = ''] = match;
    const phase = phases[letter as keyof typeof phases];
    const accessToken = sealed === '' ? '' : this.#ring.unseal(sealed, place(ownerId, slot, Number(version)));
    return { slot, version: Number(version), uc: Number(uc), phase, expiresAt: Number(expiresAt), accessToken };
  }
}

function place(ownerId: string, slot: string, version: number): string {
  return `live:${ownerId}:${slot}:${version}`;
}
