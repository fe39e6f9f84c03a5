import { Redis } from 'ioredis';
import { expect, it } from 'vitest';

import { call, refresh } from './caller.ts';
import { soon, useScene, type OwnerOnScene } from './scene.ts';

let owner: OwnerOnScene;
const scene = useScene({ prepare: async (on) => { owner = await on.addOwner({ ownerId: 'somebody' }); } });

it('what a master recorded while Redis was away comes into Redis though it is master no more, nobody else is, and MySQL cannot be asked', async () => {
  const node = await scene.master();
  await scene.stores.redis.kill();
  await expect.poll(async () => (await refresh(node, owner.id, owner.grant.accessToken)).status, soon).toBe(200);
  scene.stores.mariaDb.freeze();
  try {
    await expect.poll(async () => (JSON.parse((await call('GET', `${node.adminUrl}/cluster`)).body) as { role: string }).role, soon).not.toBe('master');
    await scene.stores.redis.restart({ empty: true });
    await expect.poll(versionsInRedis, soon).toEqual([2]);
  } finally {
    scene.stores.mariaDb.thaw();
  }
}, 40_000);

/** Of the owner's tokens; each value begins with it. */
async function versionsInRedis(): Promise<number[]> {
  const redis = new Redis(scene.stores.redis.url);
  try {
    return (await redis.hvals(`tokenpool:pool:{${owner.id}}`)).map((value) => Number(value.split(':')[0]));
  } finally {
    redis.disconnect();
  }
}
