import { expect, test } from 'vitest';

import { masterOf } from '../harness/cluster.ts';
import type { NodeProcess } from '../harness/node-process.ts';
import { soon, useScene } from './scene.ts';

const scene = useScene({
  nodes: [{}, {}, {}, {}],
  provider: { accessTokenSeconds: 3600, clients: [{ id: 'one', secret: 'first' }, { id: 'two', secret: 'second' }] },
  config: { http: { shutdownGrace: 3000 } },
  prepare: async (on) => {
    // Nothing but its refresh is missing: it waits in a drain of a minute.
    await on.addOwner({ ownerId: 'draining', clients: [0, 1], resetTimeMs: 60_000, row: { expiresInMs: 120_000 } });
    await on.addOwner({ ownerId: 'waiting', row: { expiresInMs: 1, refreshToken: '' } });
  },
});

/** SIGTERM to a node on which a caller waits for a token. */
async function stopping(node: NodeProcess): Promise<{ code: number | null; seconds: number }> {
  const waiting = fetch(`${node.appUrl}/tokenservice/waiting`).catch(() => undefined);
  const begun = performance.now();
  const code = await node.stop(40_000);
  await waiting;
  return { code, seconds: (performance.now() - begun) / 1000 };
}

async function next(): Promise<NodeProcess> {
  return expect.poll(() => masterOf(scene.nodes), soon).toBeDefined().then(async () => (await masterOf(scene.nodes)) as NodeProcess);
}

test('a master that is told to end does so while Redis, MySQL, or both do not answer', async () => {
  const { stores } = scene;
  const ends: Record<string, { code: number | null; seconds: number }> = {};
  stores.redis.freeze();
  ends['redis'] = await stopping(await next());
  stores.redis.thaw();
  const second = await next();
  stores.mariaDb.freeze();
  ends['mysql'] = await stopping(second);
  stores.mariaDb.thaw();
  const third = await next();
  stores.redis.freeze();
  stores.mariaDb.freeze();
  ends['both'] = await stopping(third);
  stores.redis.thaw();
  stores.mariaDb.thaw();
  const fourth = await next();
  await stores.redis.stop();
  ends['redis gone'] = await stopping(fourth);
  await stores.redis.restart();
  for (const end of Object.values(ends)) expect(end).toMatchObject({ code: 0 });
  for (const { seconds } of Object.values(ends)) expect(seconds).toBeLessThan(15);
}, 180_000);
