import { setTimeout as sleep } from 'node:timers/promises';

import { Redis } from 'ioredis';
import { vi } from 'vitest';

import { installHistory } from '../chaos/checker/history.ts';
import { readKept } from '../chaos/checker/kept-answers.ts';
import { RedisSampler } from '../chaos/checker/redis-sampler.ts';
import type { Evidence, PlacedGrant } from '../chaos/evidence.ts';
import { ReadLog } from '../chaos/read-log.ts';
import { startBalancer, type Balancer } from '../harness/balancer.ts';
import { startNodes, startStores, type ClusterStores } from '../harness/cluster.ts';
import type { NodeProcess } from '../harness/node-process.ts';
import type { IssuedGrant } from '../harness/provider/judgement.ts';
import { startProvider, type Provider, type ProviderOptions } from '../harness/provider/provider.ts';
import { startReaders } from '../harness/readers.ts';
import type { OwnerRow } from '../harness/system-of-record.ts';

/** Refreshed when half of it is over: on a machine that is busy the other half must do. */
const shortLived = { accessTokenSeconds: 8 };
/** A lifetime and more. */
const patient = { timeout: 20_000, interval: 50 };
const redisPrefix = 'tokenpool';
const times = {
  waitingTimeForToken: 200,
  retryAttempt: 5,
  refreshWakeUpLeadTime: 4000,
  cluster: { leaseTime: 2000 },
  refresh: { jitter: 0.1, reconcileEvery: 200, connectTimeout: 500, requestTimeout: 2000 },
};

/** A few seconds of a real cluster in which answers get lost in every way that the policies know: what the checker gets to see. */
export class CheckedRun {
  readonly stores: ClusterStores;
  readonly redis: Redis;
  readonly grants: PlacedGrant[] = [];
  readonly providers: Provider[] = [];
  nodes: NodeProcess[] = [];
  evidence!: Evidence;
  #balancer: Balancer | undefined;

  private constructor(stores: ClusterStores) {
    this.stores = stores;
    this.redis = new Redis(stores.redis.url);
  }

  static async start(): Promise<CheckedRun> {
    const run = new CheckedRun(await startStores());
    await installHistory(run.stores);
    return run;
  }

  async stop(): Promise<void> {
    await this.#balancer?.stop();
    await Promise.all(this.nodes.map((node) => node.stop(10_000)));
    this.redis.disconnect();
    await Promise.all([this.stores.remove(), ...this.providers.map((provider) => provider.stop())]);
  }

  /** Owners `pair`, `lost`, `renewed`, `lenient` and `constant` have tokens of 8 s and are refreshed, one of `pair` after a refusal; the token of `quiet` lives for a minute and a half. */
  async carryOut(): Promise<void> {
    await this.#add('quiet', await this.#provider({ accessTokenSeconds: 90 }));
    this.nodes = await startNodes(this.stores, { nodes: 2, config: times });
    this.#balancer = await startBalancer({ targets: this.nodes });
    await this.#balancer.waitForHealthy(2);
    const [lost, renewed] = await this.#settle();
    const log = new ReadLog();
    const owners = [...new Set(this.grants.map(({ owner }) => owner))];
    const from = Date.now();
    const readers = startReaders({ urls: [this.#balancer.url], owners, ratePerSecond: 60, judge: this.#judge, onRead: log.note });
    const sampler = new RedisSampler(this.redis, redisPrefix, () => owners);
    sampler.start();
    await vi.waitUntil(async () => (await this.#stateOf(renewed)) === 'in_doubt', patient);
    await this.stores.addToken(renewed, this.#consent('renewed', this.#providerOf('renewed')));
    // Until the lost one's token has ended and a caller has waited for it, and the others were refreshed meanwhile.
    await vi.waitUntil(() => log.answers.some(({ owner, why }) => owner === 'lost' && why === 'TPS0005'), patient);
    await vi.waitUntil(async () => (await this.#stateOf(lost)) === 'in_doubt' && (await this.#refreshes()) >= 10, patient);
    await sleep(500);
    const reads = await readers.stop();
    const watched = { from, until: Date.now() };
    await sampler.stop();
    const evidence = this.#evidence({ reads, answers: log.answers, watched, poolWatch: sampler });
    this.evidence = { ...evidence, seenOnDisk: (await readKept(evidence)).answers.map(({ attempt }) => attempt) };
  }

  async #settle(): Promise<[lost: number, renewed: number]> {
    const strict = await this.#provider({ ...shortLived, clients: [{ id: 'client-a', secret: 'the secret of client a' }, { id: 'client-b', secret: 'the secret of client b' }] });
    const lenient = await this.#provider({ ...shortLived, graceMs: 9000 });
    const constant = await this.#provider({ ...shortLived, rotate: false });
    await this.#add('pair', strict, {}, 2);
    const lost = await this.#add('lost', strict);
    const renewed = await this.#add('renewed', strict);
    await this.#add('lenient', lenient, { providerPolicy: 'grace', graceMs: 6000 });
    await this.#add('constant', constant, { providerPolicy: 'non_rotating' });
    for (const owner of ['lost', 'renewed', 'lenient', 'constant']) {
      const { grantId } = this.grants.find((grant) => grant.owner === owner)!;
      this.#providerOf(owner).next({ kind: 'lose-answer' }, { grantId });
    }
    strict.next({ kind: 'invalid-grant' }, { grantId: this.grants.find(({ owner }) => owner === 'pair')!.grantId });
    return [lost, renewed];
  }

  #providerOf(owner: string): Provider {
    return this.grants.find((grant) => grant.owner === owner)!.provider;
  }

  async #provider(options: ProviderOptions): Promise<Provider> {
    const provider = await startProvider(options);
    this.providers.push(provider);
    return provider;
  }

  async #add(ownerId: string, provider: Provider, row: Partial<OwnerRow> = {}, clients = 1): Promise<number> {
    const grants = Array.from({ length: clients }, (_, client) => this.#consent(ownerId, provider, client));
    return this.stores.addOwner({ ownerId, grants, retryDelayMs: 200, ...row });
  }

  #consent(owner: string, provider: Provider, client = 0): IssuedGrant {
    const grant = provider.createGrant({ owner, client });
    this.grants.push({ provider, grantId: grant.grantId, owner });
    return grant;
  }

  readonly #judge = (token: string, at?: number): ReturnType<Provider['isLive']> => {
    const judgements = this.providers.map((provider) => provider.isLive(token, at));
    return judgements.find(({ known, expiresAt }) => known && expiresAt > 0) ?? judgements[0]!;
  };

  async #stateOf(ownerDid: number): Promise<string | undefined> {
    return (await this.stores.query<{ state: string }>('SELECT state FROM tsttoken WHERE tsxwhodid = ? AND isvalid = 1 ORDER BY tokendid DESC', [ownerDid]))[0]?.state;
  }

  async #refreshes(): Promise<number> {
    return Number((await this.stores.query<{ n: number }>('SELECT COUNT(*) AS n FROM tsttoken WHERE parenttokendid IS NOT NULL'))[0]!.n);
  }

  #evidence(seen: Pick<Evidence, 'reads' | 'answers' | 'watched' | 'poolWatch'>): Evidence {
    const { nodes } = this;
    return {
      ...seen,
      providers: this.providers,
      grants: this.grants,
      record: this.stores,
      nodePassword: this.stores.mariaDb.password,
      redis: this.redis,
      redisPrefix,
      journalFolders: nodes.map((_, index) => `${this.stores.redis.dataFolder}/journal-${index + 1}`),
      nobodyUp: [],
      courierDeaths: [],
      nodeDeaths: [],
      answerLosses: [],
      redisTroubles: [],
      logs: nodes.map((node) => node.output()),
      stopNodes: async () => { await Promise.all(nodes.map((node) => node.stop())); },
      settledAt: Date.now(),
    };
  }
}
