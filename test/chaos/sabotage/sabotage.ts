/**
 * What a run under faults loads into a node before its own code (`node --import`), and the node into its courier. The service itself
 * has no switch for any of it: the points are put around methods of its classes, and a guard is removed from the text of a module as it is loaded.
 */
import { join } from 'node:path';

import { followIntoCourier } from './courier-of.ts';
import { placeFailpoints } from './failpoints.ts';
import { removeGuards } from './guards.ts';
import { readSabotage, sabotageVariable } from './sabotaged.ts';
import { ignoreElection } from './two-masters.ts';
import { followWallClock } from './wall-clock.ts';

const dist = new URL('../../../dist/', import.meta.url);

const { folder, node, guards } = readSabotage();
const isCourier = process.argv[1]?.endsWith('courier.js') === true;

removeGuards(dist, guards);
followWallClock(join(folder, `clock-${node}`));
if (isCourier) {
  await placeFailpoints(dist, { folder, node, kind: 'courier', other: () => process.ppid });
} else {
  const courier = followIntoCourier(import.meta.url, { [sabotageVariable]: process.env[sabotageVariable] ?? '' });
  await placeFailpoints(dist, { folder, node, kind: 'service', other: courier });
  await ignoreElection(dist, join(folder, 'no-election'));
}
