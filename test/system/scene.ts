import { join } from 'node:path';

import { afterAll, beforeAll, vi } from 'vitest';

import { masterOf, startStores } from '../harness/cluster.ts';
import type { ClusterStores } from '../harness/cluster.ts';
import type { OwnedGrant, OwnerRow } from '../harness/system-of-record.ts';
import { startNode } from '../harness/node-process.ts';
import type { NodeProcess } from '../harness/node-process.ts';
import { startProvider } from '../harness/provider/provider.ts';
import type { Provider, ProviderOptions } from '../harness/provider/provider.ts';
import type { IssuedGrant } from '../harness/provider/judgement.ts';
import { startSmtpSink } from '../harness/smtp-sink.ts';
import type { SmtpSink } from '../harness/smtp-sink.ts';

type Settings = Readonly<Record<string, unknown>>;

export interface SceneOptions {
  readonly provider?: ProviderOptions;
  /** What each node is told beside what all are told; default one node. */
  readonly nodes?: readonly Settings[];
  /** What all nodes are told, over the short times of a scene. */
  readonly config?: Settings | ((scene: Scene) => Settings);
  /** Puts owners in, before any node runs; default one owner, without whom no node starts. */
  readonly prepare?: (scene: Scene) => Promise<unknown>;
}

/** For `expect.poll`: what is due at once comes in milliseconds, and much later on a machine that is busy. */
export const soon = { timeout: 10_000, interval: 40 };

/** A cluster of real nodes with stores, a provider and a mail server of its own, for the whole of a test file. */
export function useScene(options: SceneOptions = {}): Scene {
  const scene = new Scene(options);
  beforeAll(() => scene.start());
  afterAll(() => scene.stop());
  return scene;
}

export interface NewOwner extends Omit<OwnerRow, 'grants'> {
  /** Which clients of the provider it has grants of, default the first one. */
  readonly clients?: readonly number[];
  readonly mailTo?: readonly string[];
  /** What the first rows say of themselves, over what the provider issued. */
  readonly row?: Partial<OwnedGrant>;
}

export interface OwnerOnScene {
  readonly did: number;
  readonly id: string;
  readonly grants: readonly IssuedGrant[];
  readonly grant: IssuedGrant;
}

export class Scene {
  stores!: ClusterStores;
  provider!: Provider;
  smtp!: SmtpSink;
  readonly nodes: NodeProcess[] = [];
  readonly #options: SceneOptions;

  constructor(options: SceneOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { provider, nodes = [{}], prepare } = this.#options;
    [this.stores, this.provider, this.smtp] = await Promise.all([startStores(), startProvider(provider), startSmtpSink()]);
    await (prepare ? prepare(this) : this.addOwner({ ownerId: 'somebody' }));
    this.nodes.push(...(await Promise.all(nodes.map((own, index) => startNode({ config: this.configOf(index + 1, own) })))));
    await Promise.all(this.nodes.map((node) => node.waitReady()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop(10_000)));
    await Promise.all([this.stores.remove(), this.provider.stop(), this.smtp.stop()]);
  }

  /** One more node, ready for load. */
  async startNode(own: Settings = {}): Promise<NodeProcess> {
    const node = await startNode({ config: this.configOf(this.nodes.length + 1, own) });
    this.nodes.push(node);
    await node.waitReady();
    return node;
  }

  configOf(number: number, own: Settings = {}): Settings {
    const { config = {} } = this.#options;
    const over = typeof config === 'function' ? config(this) : config;
    return [shortTimes(number, this.smtp.port), over, own].reduce(merged, this.stores.config(this.journalFolder(number)));
  }

  journalFolder(number: number): string {
    return join(this.stores.redis.dataFolder, `journal-${number}`);
  }

  /** As an operator inserts it, with grants of the provider of the scene. */
  async addOwner(owner: NewOwner, provider = this.provider): Promise<OwnerOnScene> {
    const { clients = [0], mailTo = [], row = {}, ...rest } = owner;
    const grants = clients.map((client) => provider.createGrant({ owner: owner.ownerId, client }));
    const did = await this.stores.addOwner({ ...rest, grants: grants.map((grant) => ({ ...grant, ...row })) });
    for (const address of mailTo) await this.stores.query('INSERT INTO tstemail (tsxwhodid, tstmailaddr) VALUES (?, ?)', [did, address]);
    return { did, id: owner.ownerId, grants, grant: grants[0]! };
  }

  async master(): Promise<NodeProcess> {
    return vi.waitUntil(() => masterOf(this.nodes), soon);
  }

  async follower(): Promise<NodeProcess> {
    const master = await this.master();
    return this.nodes.find((node) => node !== master && node.isRunning)!;
  }

  async tokenRows(ownerDid: number): Promise<TokenRow[]> {
    const columns = 'tokendid, tokenauth, accesstoken, refreshtoken, tokenvalidity, parenttokendid, isvalid + 0 AS valid, state, retrycount';
    return this.stores.query<TokenRow>(`SELECT ${columns} FROM tsttoken WHERE tsxwhodid = ? ORDER BY tokendid`, [ownerDid]);
  }

  async validRows(ownerDid: number): Promise<TokenRow[]> {
    return (await this.tokenRows(ownerDid)).filter(({ valid }) => valid === 1);
  }

  async failures(ownerDid: number): Promise<number | null> {
    const [owner] = await this.stores.query<{ reattmptcount: number | null }>('SELECT reattmptcount FROM tsxwho WHERE tsxwhodid = ?', [ownerDid]);
    return owner?.reattmptcount ?? null;
  }

  output(): string {
    return this.nodes.map((node) => node.output()).join('\n');
  }
}

export interface TokenRow {
  readonly tokendid: number;
  readonly tokenauth: string;
  readonly accesstoken: string | null;
  readonly refreshtoken: string | null;
  readonly tokenvalidity: number;
  readonly parenttokendid: number | null;
  readonly valid: 0 | 1;
  readonly state: string;
  readonly retrycount: number;
}

function shortTimes(number: number, smtpPort: number): Settings {
  return {
    refreshWakeUpLeadTime: 2500,
    cluster: { nodeId: `node-${number}`, leaseTime: 2000 },
    refresh: { jitter: 0, reconcileEvery: 200, connectTimeout: 1000, requestTimeout: 5000 },
    tslMailConfig: { host: '127.0.0.1', port: smtpPort, isStarttlsEnable: false, isAuth: false, from: 'pool@example.com' },
  };
}

/** Sections are merged, values and lists replaced. */
function merged(base: Settings, over: Settings): Settings {
  const entries = Object.entries(over).map(([key, value]) => [key, isSection(value) && isSection(base[key]) ? merged(base[key], value) : value]);
  return { ...base, ...(Object.fromEntries(entries) as Settings) };
}

function isSection(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
