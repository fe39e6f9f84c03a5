import { setTimeout as sleep } from 'node:timers/promises';

import { startProvider, type Provider } from '../../harness/provider/provider.ts';
import type { OwnedGrant, OwnerRow, SystemOfRecord } from '../../harness/system-of-record.ts';
import type { PlacedGrant } from '../evidence.ts';

export type KindName = 'pair' | 'single' | 'grace' | 'constant';

/** Owners of one kind: what their provider does with a refresh token that comes back, and how many grants each has. */
interface Kind {
  readonly name: KindName;
  readonly share: number;
  readonly grants: 1 | 2;
  readonly provider: 'strict' | 'lenient' | 'constant';
  readonly row: Partial<OwnerRow>;
}

const graceMs = 20_000;
const insertedWithinMs = 3000;

const kinds: readonly Kind[] = [
  { name: 'pair', share: 0.6, grants: 2, provider: 'strict', row: { providerPolicy: 'reuse_detect' } },
  { name: 'single', share: 0.2, grants: 1, provider: 'strict', row: { providerPolicy: 'reuse_detect' } },
  { name: 'grace', share: 0.1, grants: 1, provider: 'lenient', row: { providerPolicy: 'grace', graceMs } },
  { name: 'constant', share: 0.1, grants: 1, provider: 'constant', row: { providerPolicy: 'non_rotating' } },
];

const clients = [{ id: 'client-a', secret: 'the secret of client a' }, { id: 'client-b', secret: 'the secret of client b' }];

/** Who has tokens, of whom, and what became of the grants. */
export class Population {
  readonly providers: Readonly<Record<Kind['provider'], Provider>>;
  readonly owners: string[] = [];
  readonly grants: PlacedGrant[] = [];
  readonly #dids = new Map<string, { did: number; kind: Kind }>();
  readonly #record: SystemOfRecord;

  private constructor(providers: Readonly<Record<Kind['provider'], Provider>>, record: SystemOfRecord) {
    this.providers = providers;
    this.#record = record;
  }

  static async create(record: SystemOfRecord, tokenSeconds: number): Promise<Population> {
    const [strict, lenient, constant] = await Promise.all([
      startProvider({ accessTokenSeconds: tokenSeconds, clients }),
      startProvider({ accessTokenSeconds: tokenSeconds, clients, graceMs: graceMs + 15_000 }),
      startProvider({ accessTokenSeconds: tokenSeconds, clients, rotate: false }),
    ]);
    return new Population({ strict, lenient, constant }, record);
  }

  /** Of each kind its share. @param pauseMs between two, so that not all are due at once @param only where all are of one kind */
  async settle(count: number, pauseMs: number, only?: KindName): Promise<void> {
    for (const kind of only === undefined ? kinds : kinds.filter(({ name }) => name === only).map((kind) => ({ ...kind, share: 1 }))) {
      for (let index = 0; index < Math.max(1, Math.round(count * kind.share)); index++) {
        if (this.owners.length > 0) await sleep(pauseMs);
        await this.#add(`${kind.name} ${index}/ü`, kind);
      }
    }
  }

  /**
   * What an operator does who was told that a grant is lost: the user consents once more, and a new row takes the old one's place.
   * @param kept attempts whose answers are on a disk or in Redis: to record those is the service's part, and he must not cover up that it fails to
   * @returns how many were replaced
   */
  async consentAgain(kept: () => Promise<ReadonlySet<string>>): Promise<number> {
    const ended = await this.#record.query<{ did: number; auth: string; attempt: string | null }>(`SELECT t.tsxwhodid AS did, t.tokenauth AS auth, t.attempt FROM tsttoken t JOIN tsxwho w ON w.tsxwhodid = t.tsxwhodid
      WHERE t.isvalid = 1 AND (t.state IN ('dead', 'stopped') OR (t.state = 'in_doubt' AND w.providerpolicy = 'reuse_detect'))
      AND NOT EXISTS (SELECT 1 FROM tsttoken n WHERE n.tsxwhodid = t.tsxwhodid AND n.tokenauth = t.tokenauth AND n.isvalid = 1 AND n.tokendid > t.tokendid)`);
    const awaited = ended.some(({ attempt }) => attempt !== null) ? await kept() : new Set<string>();
    const lost = ended.filter(({ attempt }) => attempt === null || !awaited.has(attempt));
    for (const { did, auth } of lost) {
      const [owner, { kind }] = [...this.#dids].find(([, known]) => known.did === did) ?? (() => { throw new Error(`no owner ${did}`); })();
      const client = clients.findIndex(({ id }) => Buffer.from(auth, 'base64').toString().startsWith(`${id}:`));
      await this.#record.addToken(did, this.#consent(owner, kind, client));
    }
    return lost.length;
  }

  /** @throws Error where nobody has settled the owner */
  providerOf(owner: string): Provider {
    const known = this.#dids.get(owner);
    if (!known) throw new Error(`no owner "${owner}"`);
    return this.providers[known.kind.provider];
  }

  async remove(): Promise<void> {
    await Promise.all(Object.values(this.providers).map((provider) => provider.stop()));
  }

  async #add(owner: string, kind: Kind): Promise<void> {
    const grants = Array.from({ length: kind.grants }, (_, client) => this.#consent(owner, kind, client));
    const did = await this.#record.addOwner({ ownerId: owner, grants, ...kind.row });
    this.owners.push(owner);
    this.#dids.set(owner, { did, kind });
  }

  /** Its lifetime counts from the insert, which comes a while after the consent: as an operator must, he says what is left of it. */
  #consent(owner: string, kind: Kind, client: number): OwnedGrant {
    const provider = this.providers[kind.provider];
    const grant = provider.createGrant({ owner, client });
    this.grants.push({ provider, grantId: grant.grantId, owner });
    return { ...grant, expiresInMs: grant.expiresInMs - insertedWithinMs };
  }
}
