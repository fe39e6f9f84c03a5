import { setTimeout as sleep } from 'node:timers/promises';

import type { Behaviour } from '../../harness/provider/behaviour.ts';
import type { Provider } from '../../harness/provider/provider.ts';
import { fault, type Fault, type Scene } from './fault.ts';
import { theMaster } from './processes.ts';

const misbehaviours: readonly (readonly [string, Behaviour])[] = [
  ['answers are lost: the provider did it, no byte comes back', { kind: 'lose-answer' }],
  ['answers are cut in the middle', { kind: 'cut-body' }],
  ['answers are garbage', { kind: 'garbage' }],
  ['answers are empty', { kind: 'empty' }],
  ['answers are slow (3 s)', { kind: 'slow', ms: 3000 }],
  ['answers trickle in (2 s)', { kind: 'trickle', ms: 2000 }],
  ['requests are dropped unread', { kind: 'drop-request' }],
  ['500 after the refresh was done', { kind: 'status', status: 500, afterCommit: true }],
  ['503 before anything was done', { kind: 'status', status: 503 }],
  ['429 with Retry-After', { kind: 'status', status: 429, retryAfter: 1 }],
  ['invalid_grant for a good refresh token, as on concurrent use', { kind: 'invalid-grant' }],
  ['answers without a new refresh token', { kind: 'omit', field: 'refresh_token' }],
];

export const providerFaults: readonly Fault[] = [
  ...misbehaviours.map(([kind, behaviour]) => fault('provider', kind, (scene) => misbehave(scene, behaviour))),
  fault('provider', 'the provider refuses connections', (scene) => refuse(scene)),
  arrival('killed when the request arrived (courier)', 'courier'),
  arrival('killed when the request arrived (service)', 'service'),
  arrival('killed when the request arrived (whole node)', 'both'),
  arrival('killed between request and first byte (courier)', 'courier', { kind: 'slow', ms: 400 }),
  arrival('killed between request and first byte (service)', 'service', { kind: 'slow', ms: 400 }),
  arrival('killed between request and first byte (whole node)', 'both', { kind: 'slow', ms: 400 }),
  arrival('killed between first byte and last (courier)', 'courier', { kind: 'trickle', ms: 600 }),
  arrival('killed between first byte and last (service)', 'service', { kind: 'trickle', ms: 600 }),
  arrival('killed between first byte and last (whole node)', 'both', { kind: 'trickle', ms: 600 }),
];

async function misbehave({ world, random }: Scene, behaviour: Behaviour): Promise<void> {
  const provider = random.pick(Object.values(world.population.providers));
  provider.next(behaviour, { times: random.between(1, 3) });
  await sleep(random.between(500, 2000));
}

async function refuse({ world, random }: Scene): Promise<void> {
  const provider = random.pick(Object.values(world.population.providers));
  await provider.goDown();
  await sleep(random.between(500, 3000));
  await provider.comeBack();
}

/** The provider does what it is asked for, and its answer meets nobody, or half of the node. */
function arrival(kind: string, whom: 'service' | 'courier' | 'both', behaviour?: Behaviour): Fault {
  return {
    family: 'point',
    kind,
    inflict: async ({ world, random, traces }) => {
      const { node } = await theMaster(world, random);
      const arrived = await nextRequest(world.population.providers.strict, behaviour ?? null);
      if (!arrived) return false;
      if (behaviour) await sleep(behaviour.kind === 'trickle' ? 200 : 100);
      if (whom !== 'service') {
        traces.courierDied(node.name);
        node.signalCourier('SIGKILL');
      }
      if (whom !== 'courier') {
        traces.nodeDied(node.name);
        node.signal('SIGKILL');
      }
      return true;
    },
  };
}

async function nextRequest(provider: Provider, behaviour: Behaviour | null): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const late = setTimeout(resolve, 4000, false);
  let taken = false;
  const forget = provider.always(() => {
    if (taken) return null;
    taken = true;
    resolve(true);
    return behaviour;
  });
  const arrived = await promise;
  clearTimeout(late);
  forget();
  return arrived;
}
