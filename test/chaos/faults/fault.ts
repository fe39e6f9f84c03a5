import type { Random } from '../world/random.ts';
import type { Member, World } from '../world/world.ts';

export type Family = 'process' | 'point' | 'provider' | 'redis' | 'mysql' | 'network' | 'clock' | 'disk' | 'election';

/** What a fault leaves to be known afterwards. */
export interface Traces {
  /** The courier of a node is about to be, or was, killed. */
  courierDied(node: string): void;
  /** A node, not its courier, is about to be, or was, killed. */
  nodeDied(node: string): void;
  /** While `work` runs no node at all may be there to answer. */
  nobodyUp(work: () => Promise<void>): Promise<void>;
}

export interface Scene {
  readonly world: World;
  /** This fault's own, from the seed of the run. */
  readonly random: Random;
  readonly traces: Traces;
}

/** Something that goes wrong, and is over when `inflict` resolves. */
export interface Fault {
  /** What is said of it in a table: `the master is killed`. */
  readonly kind: string;
  readonly family: Family;
  /** Why it can never be done in this world; undefined where it can. */
  readonly obstacle?: (world: World) => string | undefined;
  /** @returns false where it could not be done this time, as when nothing came to the point */
  readonly inflict: (scene: Scene) => Promise<boolean>;
}

/** How long a fault waits for what it needs, ms. */
export const patienceMs = 4000;

/** Undefined where there is none of the kind, as between the terms of two masters. */
export type Choice = (world: World, random: Random) => Promise<Member | undefined>;

/** For what is done to one node. It does not come about where none can be chosen. */
export function onMember(family: Family, kind: string, choose: Choice, work: (member: Member, scene: Scene) => Promise<unknown>): Fault {
  return {
    family,
    kind,
    inflict: async (scene) => {
      const member = await choose(scene.world, scene.random);
      if (!member) return false;
      await work(member, scene);
      return true;
    },
  };
}

/** Why which kinds can never be done in this world, by kind. */
export function leftOutOf(faults: readonly Fault[], world: World): Map<string, string> {
  return new Map(faults.flatMap(({ kind, obstacle }) => {
    const why = obstacle?.(world);
    return why === undefined ? [] : [[kind, why] as const];
  }));
}

/** For faults that can always be done. */
export function fault(family: Family, kind: string, work: (scene: Scene) => Promise<unknown>): Fault {
  return {
    family,
    kind,
    inflict: async (scene) => {
      await work(scene);
      return true;
    },
  };
}
