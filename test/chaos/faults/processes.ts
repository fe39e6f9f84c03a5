import { setTimeout as sleep } from 'node:timers/promises';

import type { Random } from '../world/random.ts';
import type { Member, World } from '../world/world.ts';
import { fault, type Fault, type Scene } from './fault.ts';

/** Longer than the lease of 3 s: another node is master when it ends. */
const pastTheLeaseMs = 4500;

export async function theMaster(world: World, random: Random): Promise<Member> {
  return (await world.master()) ?? random.pick(world.members);
}

export async function aFollower(world: World, random: Random): Promise<Member> {
  const master = await world.master();
  const others = world.members.filter((member) => member !== master);
  return random.pick(others.length > 0 ? others : world.members);
}

type Choice = (world: World, random: Random) => Promise<Member>;

export const processFaults: readonly Fault[] = [
  fault('process', 'the master is killed, its courier lives on', (scene) => kill(scene, theMaster)),
  fault('process', 'the master and its courier are killed', (scene) => killAll(scene, theMaster)),
  fault('process', 'the master\'s courier is killed', (scene) => killCourier(scene, theMaster)),
  fault('process', 'a follower is killed with its courier', (scene) => killAll(scene, aFollower)),
  fault('process', 'the master is stopped in order (SIGTERM)', (scene) => stop(scene, theMaster)),
  fault('process', 'the master is paused past its lease', (scene) => pause(scene, theMaster, pastTheLeaseMs, false)),
  fault('process', 'the master and its courier are paused past the lease', (scene) => pause(scene, theMaster, pastTheLeaseMs, true)),
  fault('process', 'the master is paused for less than its lease', (scene) => pause(scene, theMaster, scene.random.between(300, 2500), true)),
  fault('process', 'a follower is paused', (scene) => pause(scene, aFollower, scene.random.between(500, 4000), true)),
  fault('process', 'all nodes are killed', (scene) => killEverybody(scene)),
  fault('process', 'all nodes are paused', (scene) => pauseEverybody(scene)),
];

async function kill({ world, random, traces }: Scene, choose: Choice): Promise<void> {
  const { node } = await choose(world, random);
  traces.nodeDied(node.name);
  node.signal('SIGKILL');
  await down(random);
}

async function killAll({ world, random, traces }: Scene, choose: Choice): Promise<void> {
  const { node } = await choose(world, random);
  traces.courierDied(node.name);
  traces.nodeDied(node.name);
  node.signalCourier('SIGKILL');
  node.signal('SIGKILL');
  await down(random);
}

async function killCourier({ world, random, traces }: Scene, choose: Choice): Promise<void> {
  const { node } = await choose(world, random);
  traces.courierDied(node.name);
  node.signalCourier('SIGKILL');
}

async function stop({ world, random }: Scene, choose: Choice): Promise<void> {
  const { node } = await choose(world, random);
  const { process } = node;
  node.signal('SIGTERM');
  await Promise.race([process.exited, sleep(10_000, undefined, { ref: false })]);
}

async function pause({ world, random }: Scene, choose: Choice, ms: number, withCourier: boolean): Promise<void> {
  const { node } = await choose(world, random);
  node.signal('SIGSTOP');
  if (withCourier) node.signalCourier('SIGSTOP');
  await sleep(ms);
  node.signalCourier('SIGCONT');
  node.signal('SIGCONT');
}

async function killEverybody({ world, traces }: Scene): Promise<void> {
  await traces.nobodyUp(async () => {
    for (const { node } of world.members) {
      traces.courierDied(node.name);
      traces.nodeDied(node.name);
    }
    for (const { node } of world.members) node.signalCourier('SIGKILL');
    for (const { node } of world.members) node.signal('SIGKILL');
    await sleep(500);
    await Promise.any(world.nodes.map((node) => untilReady(node)));
  });
}

async function pauseEverybody({ world, random, traces }: Scene): Promise<void> {
  await traces.nobodyUp(async () => {
    for (const { node } of world.members) node.signal('SIGSTOP');
    await sleep(random.between(500, pastTheLeaseMs));
    for (const { node } of world.members) node.signal('SIGCONT');
    await Promise.any(world.nodes.map((node) => untilReady(node)));
  });
}

async function untilReady(node: World['nodes'][number]): Promise<void> {
  const until = performance.now() + 60_000;
  while (!(await node.process.isReady(500))) {
    if (performance.now() > until) throw new Error(`${node.name} is not ready after a minute`);
    await sleep(50);
  }
}

/** A moment in which the next fault can meet a cluster that is short of a node. */
async function down(random: Random): Promise<void> {
  await sleep(random.between(0, 1500));
}
