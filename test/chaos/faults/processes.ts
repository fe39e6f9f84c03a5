import { setTimeout as sleep } from 'node:timers/promises';

import { sendSignal, type Part } from '../../harness/fleet-node.ts';
import type { Random } from '../world/random.ts';
import type { Member, World } from '../world/world.ts';
import { fault, onMember, type Fault, type Scene } from './fault.ts';

/** Longer than the lease of 3 s: another node is master when it ends. */
const pastTheLeaseMs = 4500;

export function theMaster(world: World): Promise<Member | undefined> {
  return world.master();
}

/** Any node, where none leads. */
export async function aFollower(world: World, random: Random): Promise<Member> {
  const master = await world.master();
  return random.pick(world.members.filter((member) => member !== master));
}

export const processFaults: readonly Fault[] = [
  onMember('process', 'the master is killed, its courier lives on', theMaster, kill),
  onMember('process', 'the master and its courier are killed', theMaster, killAll),
  onMember('process', 'the master\'s courier is killed', theMaster, killCourier),
  onMember('process', 'a follower is killed with its courier', aFollower, killAll),
  onMember('process', 'the master is stopped in order (SIGTERM)', theMaster, stop),
  onMember('process', 'a follower is stopped in order (SIGTERM)', aFollower, stop),
  onMember('process', 'the master is paused past its lease', theMaster, ({ node }) => pause(node.processIds('service'), pastTheLeaseMs)),
  onMember('process', 'the master and its courier are paused past the lease', theMaster, ({ node }) => pause(node.processIds('both'), pastTheLeaseMs)),
  onMember('process', 'the master is paused for less than its lease', theMaster, ({ node }, { random }) => pause(node.processIds('both'), random.between(300, 2500))),
  onMember('process', 'a follower is paused', aFollower, ({ node }, { random }) => pause(node.processIds('both'), random.between(500, 4000))),
  fault('process', 'all nodes are killed', (scene) => killEverybody(scene, 'both')),
  fault('process', 'all nodes are killed, their couriers live on', (scene) => killEverybody(scene, 'service')),
  fault('process', 'all nodes are paused', (scene) => pauseEverybody(scene, 'service')),
  fault('process', 'all nodes and their couriers are paused', (scene) => pauseEverybody(scene, 'both')),
];

async function kill({ node }: Member, { random, traces }: Scene): Promise<void> {
  traces.nodeDied(node.name);
  node.signal('SIGKILL');
  await down(random);
}

async function killAll({ node }: Member, { random, traces }: Scene): Promise<void> {
  traces.courierDied(node.name);
  traces.nodeDied(node.name);
  node.signalCourier('SIGKILL');
  node.signal('SIGKILL');
  await down(random);
}

async function killCourier({ node }: Member, { traces }: Scene): Promise<void> {
  traces.courierDied(node.name);
  node.signalCourier('SIGKILL');
}

async function stop({ node }: Member): Promise<void> {
  const { process } = node;
  node.signal('SIGTERM');
  await Promise.race([process.exited, sleep(10_000, undefined, { ref: false })]);
}

/** Those that were stopped are continued, and no others: one whose node was killed and started again meanwhile would stay stopped for ever. */
async function pause(pids: readonly number[], ms: number): Promise<void> {
  for (const pid of pids) sendSignal(pid, 'SIGSTOP');
  await sleep(ms);
  for (const pid of pids) sendSignal(pid, 'SIGCONT');
}

async function killEverybody({ world, traces }: Scene, part: Part): Promise<void> {
  await traces.nobodyUp(async () => {
    for (const { node } of world.members) {
      if (part !== 'service') traces.courierDied(node.name);
      traces.nodeDied(node.name);
    }
    for (const pid of world.nodes.flatMap((node) => node.processIds(part))) sendSignal(pid, 'SIGKILL');
    await sleep(500);
    await Promise.any(world.nodes.map((node) => untilReady(node)));
  });
}

async function pauseEverybody({ world, random, traces }: Scene, part: Part): Promise<void> {
  await traces.nobodyUp(async () => {
    await pause(world.nodes.flatMap((node) => node.processIds(part)), random.between(500, pastTheLeaseMs));
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
