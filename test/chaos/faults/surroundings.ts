import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Member } from '../world/world.ts';
import { onMember, type Fault, type Scene } from './fault.ts';
import { aFollower, theMaster } from './processes.ts';

/** What a node stands on and among: its clock, its disk, the election. */
export const surroundingFaults: readonly Fault[] = [
  onMember('clock', 'the master\'s clock is minutes ahead', theMaster, (member, scene) => offClock(member, scene, 1)),
  onMember('clock', 'the master\'s clock is minutes behind', theMaster, (member, scene) => offClock(member, scene, -1)),
  onMember('clock', 'a follower\'s clock is minutes ahead', aFollower, (member, scene) => offClock(member, scene, 1)),
  onMember('clock', 'a follower\'s clock is minutes behind', aFollower, (member, scene) => offClock(member, scene, -1)),
  { family: 'disk', kind: 'the disk of the master\'s journal is full', obstacle: noDisk, inflict: fillDisk },
  { family: 'election', kind: 'there is no election: every node that asks gets the lease', inflict: noElection },
];

async function offClock({ node }: Member, { world, random }: Scene, sign: 1 | -1): Promise<void> {
  const file = join(world.folder, `clock-${node.name}`);
  await writeFile(file, String(sign * random.between(60_000, 600_000)));
  await sleep(random.between(1000, 6000));
  await rm(file, { force: true });
}

/** The right to mount is that of the run, so it is the same for all disks. */
function noDisk({ members }: Scene['world']): string | undefined {
  return members.map(({ disk }) => disk.obstacle).find((why) => why !== undefined);
}

async function fillDisk({ world, random }: Scene): Promise<boolean> {
  const disk = (await theMaster(world))?.disk;
  if (disk?.canFill !== true) return false;
  await disk.fill();
  await sleep(random.between(500, 4000));
  await disk.free();
  return true;
}

/** Masters that follow upon one another while none has ended show that it came about. */
async function noElection({ world, random }: Scene): Promise<boolean> {
  const file = join(world.folder, 'no-election');
  const before = await epochOf(world);
  await writeFile(file, '');
  await sleep(random.between(2000, 6000));
  await rm(file, { force: true });
  return (await epochOf(world)) - before >= 2;
}

/** NaN where the record does not say. */
async function epochOf({ record }: Scene['world']): Promise<number> {
  const [row] = await record.query<{ epoch: number }>('SELECT epoch FROM tstepoch').catch(() => []);
  return row?.epoch ?? NaN;
}
