import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import type { NodeProcess } from '../harness/node-process.ts';
import { startReaders } from '../harness/readers.ts';
import type { ReadsReport } from '../harness/readers.ts';
import { refresh } from './caller.ts';
import { childrenOf } from './child-processes.ts';
import type { OwnerOnScene, Scene } from './scene.ts';

export interface OrderlyStop {
  readonly code: number | null;
  /** ms from the signal. */
  readonly endedMs: number;
  /** ms from the signal until `/ready` said no, and in which words. */
  readonly notReadyMs: number;
  readonly reason: string;
  /** ms from the signal until the port of callers took no more connections. */
  readonly closedMs: number;
  /** What callers got who knew this node alone, and kept their connections until it said that it is not ready. */
  readonly reads: ReadsReport;
  /** Statuses of PUT refresh, sent to this node and to another one before, at and after the signal. */
  readonly commands: readonly number[];
  /** Requests at the provider, unanswered at the moment of the signal. */
  readonly underWay: number;
  /** Whether the courier outlived its node. */
  readonly courierLeft: boolean;
}

export interface Load {
  readonly owners: readonly string[];
  /** For PUT refresh, one each: six of them. */
  readonly commanded: readonly OwnerOnScene[];
  /** How long the provider takes to answer, ms. */
  readonly answerMs: number;
}

/** SIGTERM to a node at work. */
export async function stopUnderLoad(scene: Scene, node: NodeProcess, load: Load): Promise<OrderlyStop> {
  const { provider } = scene;
  const other = scene.nodes.find((each) => each !== node && each.isRunning)!;
  const readers = startReaders({ urls: [node.appUrl], owners: load.owners, ratePerSecond: 60, judge: provider.isLive });
  const [courier] = await childrenOf(node.pid);
  const command = (owner: OwnerOnScene | undefined, by: NodeProcess): Promise<number> => refresh(by, owner!.id, owner!.grant.accessToken).then(({ status }) => status, () => 0);
  const commands = [command(load.commanded[0], node), command(load.commanded[1], other)];
  await sleep(load.answerMs / 2);
  const signalledAt = performance.now();
  const underWay = provider.account.presentations.filter(({ at }) => at > Date.now() - load.answerMs).length;
  const ended = node.stop(60_000);
  commands.push(command(load.commanded[2], node), command(load.commanded[3], other));
  const closed = untilClosed(node, signalledAt);
  const { reason, notReadyMs } = await untilNotReady(node, signalledAt);
  const reads = await readers.stop();
  commands.push(command(load.commanded[4], node), command(load.commanded[5], other));
  const code = await ended;
  return { code, endedMs: performance.now() - signalledAt, notReadyMs, reason, closedMs: await closed, reads, commands: await Promise.all(commands), underWay, courierLeft: isRunning(courier) };
}

async function untilNotReady(node: NodeProcess, since: number): Promise<{ reason: string; notReadyMs: number }> {
  for (;;) {
    const answer = await fetch(`${node.adminUrl}/ready`, { headers: { connection: 'close' } });
    const reason = await answer.text();
    if (answer.status === 503) return { reason, notReadyMs: performance.now() - since };
    await sleep(10);
  }
}

async function untilClosed(node: NodeProcess, since: number): Promise<number> {
  while (await takesConnections(Number(new URL(node.appUrl).port))) await sleep(10);
  return performance.now() - since;
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function isRunning(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
}
