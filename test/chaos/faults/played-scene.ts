import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

import type { Part } from '../../harness/fleet-node.ts';
import type { Random } from '../world/random.ts';
import type { Member, World } from '../world/world.ts';
import type { Fault, Scene } from './fault.ts';

/** A node that consists of nothing but its processes. */
export interface Stand {
  service: ChildProcess | undefined;
  courier: ChildProcess | undefined;
}

export function member(name: string, stand: Stand): Member {
  const processIds = (part: Part): number[] => [part === 'service' ? undefined : stand.courier?.pid, part === 'courier' ? undefined : stand.service?.pid].filter((pid) => pid !== undefined);
  return { node: { name, processIds } } as unknown as Member;
}

/** @param told what the fault leaves to be known: `courier of node-1` */
export function scene(world: Partial<Record<keyof World, unknown>>, told: (what: string) => void = () => undefined): Scene {
  // As short as a fault may last.
  const random = { pick: <T>(from: readonly T[]) => from[0], between: (least: number) => least } as unknown as Random;
  const traces: Scene['traces'] = { courierDied: (node) => told(`courier of ${node}`), nodeDied: (node) => told(`service of ${node}`), nobodyUp: (work) => work() };
  return { world: world as unknown as World, random, traces };
}

export function named(faults: readonly Fault[], kind: string): Fault {
  const found = faults.find((fault) => fault.kind === kind);
  if (!found) throw new Error(`there is no fault "${kind}"`);
  return found;
}

/** A process that does nothing. */
export function idler(): ChildProcess {
  return spawn('sleep', ['60'], { stdio: 'ignore' });
}

export function isPaused({ pid }: ChildProcess): boolean {
  return / [Tt] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, ''));
}
