import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { startStores, type ClusterStores } from '../harness/cluster.ts';
import { startNode, type NodeProcess } from '../harness/node-process.ts';
import type { IssuedGrant } from '../harness/provider/judgement.ts';
import { startProvider, type Provider } from '../harness/provider/provider.ts';
import { startSmtpSink, type SmtpSink } from '../harness/smtp-sink.ts';

export interface StageOptions {
  readonly owners: number;
  readonly nodes: number;
  /** Lifetime of the tokens that do not outlive an outage. */
  readonly tokenSeconds: number;
  /** The longest outage of MySQL, s, which the other tokens outlive. */
  readonly outlivedSeconds: number;
}

export interface StagedOwner {
  readonly id: string;
  /** Whom its mails go to. */
  readonly address: string;
  /** Whether its tokens outlive an outage of MySQL. */
  readonly lasts: boolean;
  readonly grants: readonly IssuedGrant[];
}

export interface Stage {
  readonly stores: ClusterStores;
  readonly smtp: SmtpSink;
  readonly owners: readonly StagedOwner[];
  /** Whose tokens are short-lived. */
  readonly brief: Provider;
  /** Whose tokens outlive the outages. */
  readonly lasting: Provider;
  /** Changes where a node is started again. */
  readonly nodes: NodeProcess[];
  /** How long a caller waits for a token at most, ms. */
  readonly waitMs: number;
  /** The configuration of the node of this number, from 1. */
  config(number: number, over?: Readonly<Record<string, unknown>>): Record<string, unknown>;
}

const clients = [{ id: 'client-a', secret: 'secret-a' }, { id: 'client-b', secret: 'secret-b' }];
/** What the lead is longer than the longest outage, s: a refresh takes some time, the stores come back when they do. */
const slackSeconds = 30;
const waitingTimeForToken = 200;
const retryAttempt = 10;

/** Stores, providers, owners and nodes of one run, all private to it; what was started is put on `stack`. */
export async function setStage(options: StageOptions, stack: AsyncDisposableStack): Promise<Stage> {
  const leadSeconds = options.outlivedSeconds + slackSeconds;
  const stores = await startStores();
  stack.defer(() => stores.remove());
  const [brief, lasting, smtp] = await Promise.all([
    startProvider({ accessTokenSeconds: options.tokenSeconds, clients }),
    startProvider({ accessTokenSeconds: 2 * leadSeconds, clients }),
    startSmtpSink(),
  ]);
  stack.defer(async () => { await Promise.all([brief.stop(), lasting.stop(), smtp.stop()]); });
  const config = (number: number, over: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => stores.config(join(stores.redis.dataFolder, `journal-${number}`), {
    cluster: { nodeId: `node-${number}` },
    refreshWakeUpLeadTime: leadSeconds * 1000,
    waitingTimeForToken,
    retryAttempt,
    startup: { storeTimeout: (options.outlivedSeconds + slackSeconds) * 1000 },
    tslMailConfig: { host: '127.0.0.1', port: smtp.port, isStarttlsEnable: false, isAuth: false, from: 'pool@example.com' },
    ...over,
  });
  const owners = await addOwners(options, stores, brief, lasting);
  const nodes = await Promise.all(Array.from({ length: options.nodes }, (_, index) => startNode({ config: config(index + 1) })));
  stack.defer(async () => { await Promise.all(nodes.map((node) => node.stop(10_000))); });
  await Promise.all(nodes.map((node) => node.waitReady(60_000)));
  return { stores, smtp, owners, brief, lasting, nodes, waitMs: waitingTimeForToken * retryAttempt, config };
}

/** Every second one lasts; every fourth has two grants, and so a pool of two slots. One after the other, so that they are not due at once. */
async function addOwners({ owners, tokenSeconds }: StageOptions, stores: ClusterStores, brief: Provider, lasting: Provider): Promise<StagedOwner[]> {
  const added: StagedOwner[] = [];
  for (let index = 0; index < owners; index++) {
    const lasts = index % 2 === 1;
    const provider = lasts ? lasting : brief;
    const id = `${lasts ? 'lasting' : 'brief'} ${index}/ü`;
    const address = `team-${index % 5}@example.com`;
    const grants = clients.slice(0, index % 4 < 2 ? 1 : 2).map((_, client) => provider.createGrant({ owner: id, client }));
    // What is said to live for less is refreshed earlier: so those that last are not due at once either.
    const share = lasts ? 0.6 + (0.4 * index) / owners : 1;
    const did = await stores.addOwner({ ownerId: id, grants: grants.map((grant) => ({ ...grant, expiresInMs: Math.floor(grant.expiresInMs * share) })) });
    await stores.query('INSERT INTO tstemail (tsxwhodid, tstmailaddr) VALUES (?, ?)', [did, address]);
    added.push({ id, address, lasts, grants });
    await sleep((tokenSeconds * 250) / owners);
  }
  return added;
}
