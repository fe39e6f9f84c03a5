import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';

import { z } from 'zod';

import { section } from '../leaf.ts';
import { milliseconds, optionalNumber, optionalText } from '../leaves.ts';

/** A renewal may come this much late, as in client-go's leader election. */
const lateness = 1.2;

export const clusterSection = section(z.strictObject({
  nodeId: optionalText('Name of this node, its own in the cluster', {
    shown: 'host name and 4 random hex digits', pattern: /^[\w.-]{1,64}$/, allowed: '1 to 64 of A-Z a-z 0-9 _ . -',
  }),
  leaseTime: milliseconds('How long the master may be silent before another node takes over', 3_000, [1_000, 60_000]),
  renewEvery: optionalNumber(
    'Time between two renewals of the lease; two thirds of `leaseTime` must be more than 1.2 times this', 'a sixth of `leaseTime`', [50, 60_000], 'ms',
  ),
}).superRefine(({ leaseTime, renewEvery }, context) => {
  if (renewEvery === undefined || deadline(leaseTime) > renewEvery * lateness) return;
  const most = Math.ceil(deadline(leaseTime) / lateness) - 1;
  context.addIssue({ code: 'custom', path: ['renewEvery'], message: `found "${renewEvery}"; allowed with a leaseTime of ${leaseTime}: at most ${most} ms, so that a renewal that is late still comes in time` });
}).transform(({ nodeId, leaseTime, renewEvery }) => ({
  nodeId: nodeId ?? newNodeId(),
  leaseTime,
  /** ms after the last renewal began at which the master steps down. */
  renewDeadline: deadline(leaseTime),
  renewEvery: renewEvery ?? Math.floor(leaseTime / 6),
})));

function deadline(leaseTime: number): number {
  return Math.floor((leaseTime * 2) / 3);
}

function newNodeId(): string {
  return `${hostname().replace(/[^\w.-]/g, '_').slice(0, 59)}-${randomBytes(2).toString('hex')}`;
}
