import { once } from 'node:events';

import { afterEach, expect, it } from 'vitest';

import { idler, isPaused, member, named, scene, type Stand } from './played-scene.ts';
import { processFaults } from './processes.ts';

const started: ReturnType<typeof idler>[] = [];

function node(): Stand {
  const stand = { service: idler(), courier: idler() };
  started.push(stand.service, stand.courier);
  return stand;
}

afterEach(() => {
  for (const process of started.splice(0)) process.kill('SIGKILL');
});

it('What was paused is continued, also where its node has been killed and started again meanwhile', async () => {
  const stand = node();
  const { service, courier } = stand;
  const master = member('node-1', stand);
  const inflicted = named(processFaults, 'the master is paused for less than its lease').inflict(scene({ master: async () => master }));
  await expect.poll(() => isPaused(service!) && isPaused(courier!)).toBe(true);
  service!.kill('SIGKILL');
  await once(service!, 'exit');
  Object.assign(stand, node());
  expect(await inflicted).toBe(true);
  await expect.poll(() => isPaused(courier!)).toBe(false);
});

it('Nothing is done to a master where there is none', async () => {
  const stand = node();
  const world = { master: async () => undefined, members: [member('node-1', stand)] };
  expect(await named(processFaults, 'the master is paused past its lease').inflict(scene(world))).toBe(false);
  expect(isPaused(stand.service!)).toBe(false);
});
