import type { Adapter, AdapterPayload } from 'oidc-provider';
import { judge, unknownToken } from '../provider/judgement.ts';
import type { Judgement } from '../provider/judgement.ts';

interface IssuedAccessToken {
  readonly grantId: string;
  readonly owner: string | null;
  readonly expiresAt: number;
  revokedAt: number | null;
}

/**
 * Where the server keeps everything. The library's own store in memory forgets beyond a thousand entries; this one
 * forgets nothing before its time, and remembers the access tokens that were revoked, for the judge.
 */
export class MemoryStore {
  readonly #entries = new Map<string, { payload: AdapterPayload; endsAt: number }>();
  readonly #ofGrant = new Map<string, Set<string>>();
  readonly #issued = new Map<string, IssuedAccessToken>();
  readonly #revokedGrants = new Set<string>();

  /** Access tokens issued so far, pruned ones included. */
  issued = 0;

  /** Grants whose tokens were all revoked, because a spent refresh token came back or somebody asked for it. */
  get grantsRevoked(): number {
    return this.#revokedGrants.size;
  }

  adapterFor(model: string): Adapter {
    const key = (id: string): string => `${model}:${id}`;
    return {
      upsert: async (id, payload, expiresIn) => this.#put(model, key(id), id, payload, expiresIn),
      find: async (id) => this.#get(key(id)),
      findByUid: async () => undefined,
      findByUserCode: async () => undefined,
      consume: async (id) => {
        const payload = this.#get(key(id));
        if (payload) payload.consumed = Math.floor(Date.now() / 1000);
      },
      destroy: async (id) => this.#remove(key(id)),
      revokeByGrantId: async (grantId) => this.#revokeGrant(grantId),
    };
  }

  isLive(accessToken: string, at: number): Judgement {
    const token = this.#issued.get(accessToken);
    return token ? judge(token.grantId, token.owner, token.expiresAt, [token.revokedAt], at) : unknownToken;
  }

  /** Forgets what ended before `before`. */
  prune(before: number): void {
    for (const [key, { endsAt }] of this.#entries) if (endsAt < before) this.#remove(key);
    for (const [token, { expiresAt }] of this.#issued) if (expiresAt < before) this.#issued.delete(token);
  }

  #put(model: string, key: string, id: string, payload: AdapterPayload, expiresIn: number | undefined): void {
    const { grantId, accountId } = payload;
    this.#entries.set(key, { payload, endsAt: expiresIn === undefined ? Infinity : Date.now() + expiresIn * 1000 });
    if (grantId === undefined) return;
    if (!this.#ofGrant.has(grantId)) this.#ofGrant.set(grantId, new Set());
    this.#ofGrant.get(grantId)?.add(key);
    if (model !== 'AccessToken') return;
    this.#issued.set(id, { grantId, owner: accountId ?? null, expiresAt: (payload.exp ?? 0) * 1000, revokedAt: null });
    this.issued++;
  }

  #get(key: string): AdapterPayload | undefined {
    const entry = this.#entries.get(key);
    return entry && entry.endsAt > Date.now() ? entry.payload : undefined;
  }

  #remove(key: string): void {
    const grantId = this.#entries.get(key)?.payload.grantId;
    this.#entries.delete(key);
    if (grantId !== undefined) this.#ofGrant.get(grantId)?.delete(key);
    this.#markRevoked(key);
  }

  #revokeGrant(grantId: string): void {
    this.#revokedGrants.add(grantId);
    for (const key of this.#ofGrant.get(grantId) ?? []) this.#remove(key);
    this.#ofGrant.delete(grantId);
  }

  #markRevoked(key: string): void {
    const token = this.#issued.get(key.slice('AccessToken:'.length));
    if (key.startsWith('AccessToken:') && token) token.revokedAt ??= Date.now();
  }
}
