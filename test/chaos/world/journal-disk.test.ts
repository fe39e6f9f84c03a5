import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, expect, it, vi } from 'vitest';

import { leftOutOf } from '../faults/fault.ts';
import { surroundingFaults } from '../faults/surroundings.ts';
import { JournalDisk } from './journal-disk.ts';
import type { World } from './world.ts';

const full = 'the disk of the master\'s journal is full';

afterEach(() => { vi.unstubAllEnvs(); });

it('where nothing can be mounted a disk is a folder, and says why it cannot be filled', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'disk-'));
  vi.stubEnv('PATH', join(folder, 'nowhere'));
  const disk = new JournalDisk(join(folder, 'mount'));
  expect(disk).toMatchObject({ canFill: false, obstacle: expect.stringMatching(/^nothing can be mounted: .*ENOENT/) as string });
  disk.remove();
  await rm(folder, { recursive: true });
});

function worldOf(...obstacles: (string | undefined)[]): World {
  return { members: obstacles.map((obstacle) => ({ disk: { obstacle } })) } as unknown as World;
}

it('the fault of a full disk is left out for that reason, and no other is', () => {
  expect(leftOutOf(surroundingFaults, worldOf(undefined, 'nothing can be mounted'))).toEqual(new Map([[full, 'nothing can be mounted']]));
  expect(leftOutOf(surroundingFaults, worldOf(undefined, undefined))).toEqual(new Map());
});
