import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { startStores, type ClusterStores } from '../harness/cluster.ts';
import { FleetNode } from '../harness/fleet-node.ts';
import { startProvider, type Provider } from '../harness/provider/provider.ts';
import type { TakeoverOptions } from './options.ts';

export interface Stage {
  readonly stores: ClusterStores;
  readonly provider: Provider;
  readonly nodes: readonly FleetNode[];
}

/** Stores, provider, owners and nodes of one run, all private to it; what was started is put on `stack`. */
export async function setStage({ nodes: number, owners, leaseMs, tokenSeconds }: TakeoverOptions, stack: AsyncDisposableStack): Promise<Stage> {
  const stores = await startStores();
  stack.defer(() => stores.remove());
  const provider = await startProvider({ accessTokenSeconds: tokenSeconds });
  stack.defer(() => provider.stop());
  // A node does not start where there is no owner.
  await addOwners(stores, provider, 0, 1, 0);
  const nodes = await Promise.all(Array.from({ length: number }, (_, index) => FleetNode.start(`node-${index + 1}`, {
    config: stores.config(join(stores.redis.dataFolder, `journal-${index + 1}`), {
      cluster: { nodeId: `node-${index + 1}`, leaseTime: leaseMs },
      // What falls due while nobody is master still lives when the next one comes.
      refreshWakeUpLeadTime: tokenSeconds * 500,
      refresh: { jitter: 0.2 },
    }),
  })));
  stack.defer(async () => { await Promise.all(nodes.map((node) => node.stop())); });
  await Promise.all(nodes.map((node) => node.process.waitReady(60_000)));
  await addOwners(stores, provider, 1, owners, (tokenSeconds * 500) / owners);
  return { stores, provider, nodes };
}

/** With pauses, so that about as many fall due in every moment. */
async function addOwners(stores: ClusterStores, provider: Provider, from: number, until: number, pauseMs: number): Promise<void> {
  for (let index = from; index < until; index++) {
    const ownerId = `owner-${index}`;
    await stores.addOwner({ ownerId, grants: [provider.createGrant({ owner: ownerId })] });
    await sleep(pauseMs);
  }
}
