import { setTimeout as sleep } from 'node:timers/promises';

import { ask } from '../../harness/redis-admin.ts';
import { fault, type Fault, type Scene } from './fault.ts';

export const redisFaults: readonly Fault[] = [
  fault('redis', 'Redis is flushed', ({ world }) => tellAll(world, 'FLUSHALL')),
  fault('redis', 'Redis forgets its scripts', ({ world }) => tellAll(world, 'SCRIPT', 'FLUSH')),
  fault('redis', 'Redis cuts its connections', ({ world }) => tellAll(world, 'CLIENT', 'KILL', 'TYPE', 'normal')),
  fault('redis', 'Redis is frozen', freezeRedis),
];

/** For a Redis of one server. */
export const singleRedisFaults: readonly Fault[] = [
  fault('redis', 'Redis is restarted empty', ({ world }) => world.redis.only?.restart({ empty: true }) ?? Promise.resolve()),
  fault('redis', 'Redis is away', async ({ world, random }) => {
    await world.redis.only?.kill();
    await sleep(random.between(1000, 5000));
    await world.redis.only?.restart({ empty: true });
  }),
];

/** For Sentinel and Cluster. */
export function failoverFault(topology: 'sentinel' | 'cluster'): Fault {
  return fault('redis', topology === 'sentinel' ? 'Sentinel fails over from a killed primary' : 'a master of the Redis Cluster is killed', ({ world, random }) => world.redis.failover(random.next()));
}

export const mysqlFaults: readonly Fault[] = [
  fault('mysql', 'MySQL is restarted', ({ world }) => world.record.mariaDb.restart()),
  fault('mysql', 'MySQL is killed and comes back', async ({ world, random }) => {
    await world.record.mariaDb.kill();
    await sleep(random.between(0, 2000));
    await world.record.mariaDb.restart();
  }),
  fault('mysql', 'MySQL is frozen', async ({ world, random }) => {
    world.record.mariaDb.freeze();
    await sleep(random.between(500, 3500));
    world.record.mariaDb.thaw();
  }),
  fault('mysql', 'MySQL is read-only', readOnly),
  fault('mysql', 'MySQL cuts its connections', cutConnections),
];

async function tellAll({ redis }: Scene['world'], command: string, ...args: string[]): Promise<void> {
  await Promise.all(redis.servers.map((server) => ask(server, command, ...args).catch(() => undefined)));
}

async function freezeRedis({ world, random }: Scene): Promise<void> {
  // Of several servers one: the others take over meanwhile, or do not.
  const server = random.pick(world.redis.servers);
  server.freeze();
  await sleep(random.between(500, 5000));
  server.thaw();
}

async function readOnly({ world, random }: Scene): Promise<void> {
  await world.record.query('SET GLOBAL read_only = 1');
  await sleep(random.between(500, 3500));
  // Another fault may have restarted it meanwhile; then it takes writes already.
  for (let tries = 0; tries < 100; tries++) {
    if (await world.record.query('SET GLOBAL read_only = 0').then(() => true, () => false)) return;
    await sleep(100);
  }
}

async function cutConnections({ world }: Scene): Promise<void> {
  const connections = await world.record.query<{ id: number }>("SELECT id FROM information_schema.processlist WHERE user = 'tokenpool'");
  for (const { id } of connections) await world.record.query(`KILL ${id}`).catch(() => undefined);
}
