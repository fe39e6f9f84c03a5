import { setTimeout as sleep } from 'node:timers/promises';

import type { Deed, Hit, Order, Orders, Whom } from '../sabotage/orders.ts';
import { places, type Point } from '../sabotage/points.ts';
import { sendSignal } from '../../harness/fleet-node.ts';
import { patienceMs, type Fault, type Scene } from './fault.ts';

let lastOrder = 0;

/** For each point its process killed, the whole node killed, and each of both paused past the lease. */
export const pointFaults: readonly Fault[] = places.flatMap(({ point, process }) => [
  pointFault(point, 'kill', 'itself', `killed at ${point} (${process})`),
  pointFault(point, 'kill', 'both', `killed at ${point} (whole node)`),
  pointFault(point, 'pause', 'itself', `paused at ${point} (${process})`),
  pointFault(point, 'pause', 'both', `paused at ${point} (whole node)`),
]);

function pointFault(point: Point, deed: Deed, whom: Whom, kind: string): Fault {
  return { family: 'point', kind, inflict: (scene) => atPoint(scene, point, deed, whom) };
}

/** Whoever comes to the point next is the one. */
export async function atPoint({ world, random, traces }: Scene, point: Point, deed: Deed, whom: Whom): Promise<boolean> {
  const order: Order = { id: ++lastOrder, point, deed, whom };
  world.orders.give(order);
  const hit = await untilHit(world.orders, order);
  if (!hit) return false;
  if (deed === 'kill') {
    if (whom === 'both' || hit.kind === 'courier') traces.courierDied(hit.node);
    if (whom === 'both' || hit.kind === 'service') traces.nodeDied(hit.node);
    return true;
  }
  await sleep(random.pick([1000, 4500]));
  for (const pid of hit.pids) sendSignal(pid, 'SIGCONT');
  return true;
}

async function untilHit(orders: Orders, order: Order): Promise<Hit | undefined> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const hit = orders.hit(order.id);
    if (hit) return hit;
    if (performance.now() > until && orders.withdraw(order)) return undefined;
    await sleep(25);
  }
}
