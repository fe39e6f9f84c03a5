import { setTimeout as sleep } from 'node:timers/promises';

import { holds, socketOf } from '../../harness/connection-holder.ts';
import { sendSignal, type Part } from '../../harness/fleet-node.ts';
import type { Behaviour } from '../../harness/provider/behaviour.ts';
import type { Deed } from '../sabotage/orders.ts';
import type { Member, World } from '../world/world.ts';
import { patienceMs, type Fault, type Traces } from './fault.ts';

/** A moment of a request that its provider alone sees. */
interface Moment {
  readonly when: string;
  /** By which the provider makes the moment last; null where it is over at once. */
  readonly behaviour: Behaviour | null;
  /** From the arrival of the whole request on, ms. At 0 nothing has been committed yet. */
  readonly afterMs: number;
}

const moments: readonly Moment[] = [
  { when: 'when the request arrived', behaviour: null, afterMs: 0 },
  { when: 'between request and first byte', behaviour: { kind: 'slow', ms: 400 }, afterMs: 100 },
  { when: 'between first byte and last', behaviour: { kind: 'trickle', ms: 600 }, afterMs: 200 },
];

const parts: readonly (readonly [Part, string])[] = [['courier', 'courier'], ['service', 'service'], ['both', 'whole node']];

/** The provider does what it is asked for, and its answer meets nobody, or half of the node; or it waits for one that is paused. */
export const arrivalFaults: readonly Fault[] = moments.flatMap((moment) => parts.flatMap(([part, name]) => [
  arrival('kill', part, moment, `killed ${moment.when} (${name})`),
  arrival('pause', part, moment, `paused ${moment.when} (${name})`),
]));

function arrival(deed: Deed, part: Part, moment: Moment, kind: string): Fault {
  return {
    family: 'point',
    kind,
    inflict: async ({ world, random, traces }) => {
      const pids = await nextSender(world, moment, (sender) => strike(deed, part, sender, traces));
      if (!pids || pids.length === 0) return false;
      if (deed === 'kill') return true;
      await sleep(random.pick([1000, 4500]));
      for (const pid of pids) sendSignal(pid, 'SIGCONT');
      return true;
    },
  };
}

/** @returns what came of the deed; undefined where no node sent a request */
async function nextSender<T>({ population: { providers: { strict } }, members }: World, { behaviour, afterMs }: Moment, deed: (sender: Member) => T): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<T | undefined>();
  const late = setTimeout(resolve, patienceMs, undefined);
  const forget = strict.always(({ clientPort }) => {
    const sender = senderOf(members, clientPort, strict.port);
    if (!sender) return null;
    clearTimeout(late);
    forget();
    if (afterMs === 0) resolve(deed(sender));
    else setTimeout(() => resolve(deed(sender)), afterMs);
    return behaviour;
  });
  return promise.finally(forget);
}

/** The node whose courier has the other end of the connection, whoever leads; undefined where its node has ended. */
function senderOf(members: readonly Member[], clientPort: number | undefined, port: number): Member | undefined {
  const socket = clientPort === undefined ? undefined : socketOf(clientPort, port);
  if (socket === undefined) return undefined;
  return members.find(({ node }) => node.processIds('courier').some((pid) => holds(pid, socket)));
}

/** @returns the processes that it was done to; none where the node has ended since the request arrived */
function strike(deed: Deed, part: Part, { node }: Member, traces: Traces): readonly number[] {
  const pids = node.processIds(part);
  if (pids.length === 0) return pids;
  if (deed === 'kill' && part !== 'service') traces.courierDied(node.name);
  if (deed === 'kill' && part !== 'courier') traces.nodeDied(node.name);
  for (const pid of pids) sendSignal(pid, deed === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  return pids;
}
