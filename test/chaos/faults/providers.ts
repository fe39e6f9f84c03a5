import { setTimeout as sleep } from 'node:timers/promises';

import type { Behaviour } from '../../harness/provider/behaviour.ts';
import type { Provider } from '../../harness/provider/provider.ts';
import { fault, patienceMs, type Fault, type Scene } from './fault.ts';

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
  ...misbehaviours.map(([kind, behaviour]): Fault => ({ family: 'provider', kind, inflict: (scene) => misbehave(scene, behaviour) })),
  fault('provider', 'the provider refuses connections', (scene) => refuse(scene)),
];

/** @returns whether a request met it; later ones do not any more */
async function misbehave(scene: Scene, behaviour: Behaviour): Promise<boolean> {
  const until = performance.now() + patienceMs;
  const ordered = aProvider(scene).next(behaviour, { times: scene.random.between(1, 3) });
  await sleep(scene.random.between(500, 2000));
  while (ordered.met === 0 && performance.now() < until) await sleep(25);
  ordered.withdraw();
  return ordered.met > 0;
}

async function refuse(scene: Scene): Promise<void> {
  const provider = aProvider(scene);
  await provider.goDown();
  await sleep(scene.random.between(500, 3000));
  await provider.comeBack();
}

/** Each as often as it has owners: what is done by one that hardly anybody asks is met by hardly anybody. */
function aProvider({ world: { population }, random }: Scene): Provider {
  return population.providerOf(random.pick(population.owners));
}
