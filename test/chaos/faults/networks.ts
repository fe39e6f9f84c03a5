import { setTimeout as sleep } from 'node:timers/promises';

import type { TcpProxy } from '../../harness/tcp-proxy.ts';
import type { Member } from '../world/world.ts';
import { fault, onMember, type Fault, type Scene } from './fault.ts';
import { aFollower, theMaster } from './processes.ts';

type Break = (proxy: TcpProxy) => Promise<void>;

const breaks: readonly (readonly [string, Break])[] = [
  ['refuses connections', (proxy) => proxy.cut()],
  ['swallows everything', async (proxy) => proxy.blackHole()],
  ['swallows replies', async (proxy) => proxy.blackHole('toClient')],
  ['swallows requests', async (proxy) => proxy.blackHole('toServer')],
  ['resets connections', async (proxy) => proxy.reset()],
  ['is slow (300 ms)', async (proxy) => proxy.delay(300)],
];

const ways: readonly (readonly [string, (member: Member) => readonly TcpProxy[]])[] = [
  ['Redis', ({ network }) => (network.redis ? [network.redis] : [])],
  ['MySQL', ({ network }) => [network.mysql]],
  ['both stores', ({ network }) => [network.mysql, ...(network.redis ? [network.redis] : [])]],
];

/** The network between one node and its stores. */
export const networkFaults: readonly Fault[] = [
  ...ways.flatMap(([store, proxies]) => breaks.flatMap(([how, broken]) => [
    onMember('network', `the master's way to ${store} ${how}`, theMaster, (member, scene) => breakWays(scene, proxies(member), broken)),
    onMember('network', `a follower's way to ${store} ${how}`, aFollower, (member, scene) => breakWays(scene, proxies(member), broken)),
  ])),
  fault('network', 'the nodes are parted: some reach MySQL only, some Redis only', partNodes),
];

async function breakWays({ random }: Scene, proxies: readonly TcpProxy[], broken: Break): Promise<void> {
  await Promise.all(proxies.map(broken));
  await sleep(random.between(500, 4500));
  await Promise.all(proxies.map((proxy) => proxy.restore()));
}

async function partNodes({ world, random }: Scene): Promise<void> {
  const members = random.shuffled(world.members);
  const lost = members.flatMap(({ network }, index) => (index % 2 === 0 ? [network.mysql] : network.redis ? [network.redis] : []));
  for (const proxy of lost) proxy.blackHole();
  await sleep(random.between(1000, 4500));
  await Promise.all(lost.map((proxy) => proxy.restore()));
}
