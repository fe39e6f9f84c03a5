import { setTimeout as sleep } from 'node:timers/promises';

import { until } from '../demo/until.ts';
import type { FleetNode } from '../harness/fleet-node.ts';
import { readToken } from '../harness/provider/token-text.ts';
import type { Stage } from './stage.ts';

export type End = 'kill' | 'stop';

/** What one end of a master cost, ms from the signal. */
export interface Takeover {
  /** Until another node said that it is master. */
  readonly ledMs: number;
  /** Until the provider saw a refresh token that was claimed in a later term. */
  readonly refreshedMs: number;
}

const patience = { timeoutMs: 120_000, everyMs: 50 };
/** A renewal of the lease or two: the end comes at any moment between. */
const randomMs = 1000;

/** Ends the master once everything runs as ever, and waits for the first refresh of the next one. */
export async function roundOf(stage: Stage, end: End, signal: AbortSignal): Promise<Takeover> {
  const { node, epoch } = await until('a master, with every node ready', () => settled(stage), patience, signal);
  await sleep(Math.random() * randomMs);
  const at = Date.now();
  node.signal(end === 'kill' ? 'SIGKILL' : 'SIGTERM');
  const refreshedAt = await until('a refresh by the next master', () => firstRefreshAfter(stage, epoch, at), patience, signal);
  return { ledMs: ledAfter(stage.nodes, at) - at, refreshedMs: refreshedAt - at };
}

/** The master, while every node is ready and refreshes have gone on for a while. */
async function settled({ nodes, provider }: Stage): Promise<{ node: FleetNode; epoch: number } | undefined> {
  const states = await Promise.all(nodes.map(stateOf));
  const index = states.findIndex((state) => state?.role === 'master');
  const epoch = states[index]?.epoch;
  const now = Date.now();
  const going = [0, 1, 2].every((ago) => provider.account.presentations.some(({ at }) => at <= now - ago * 1000 && at > now - (ago + 1) * 1000));
  if (!going || epoch === undefined || states.includes(undefined)) return undefined;
  return { node: nodes[index]!, epoch };
}

async function stateOf(node: FleetNode): Promise<{ role: string; epoch?: number } | undefined> {
  if (!(await node.process.isReady())) return undefined;
  return fetch(`${node.adminUrl}/cluster`, { signal: AbortSignal.timeout(2000) }).then((answer) => answer.json() as Promise<{ role: string; epoch: number }>, () => undefined);
}

/** The claim says in which term it was made; the provider says when it saw the token. */
async function firstRefreshAfter({ stores, provider }: Stage, epoch: number, from: number): Promise<number | undefined> {
  const claimed = await stores.query<{ refreshToken: string }>('SELECT t.refreshtoken AS refreshToken FROM tstspent s JOIN tsttoken t USING (tokendid) WHERE s.epoch > ?', [epoch]);
  const ids = new Set(claimed.map(({ refreshToken }) => {
    const place = readToken('rt', refreshToken);
    return `grant-${place?.grantIndex}#${place?.sequence}`;
  }));
  return provider.account.presentations.find(({ at, refreshToken }) => at >= from && ids.has(refreshToken))?.at;
}

/** By the logs of all nodes; the one that ended may have been started again and be it. */
function ledAfter(nodes: readonly FleetNode[], from: number): number {
  const times = nodes.flatMap(({ logs }) => logs).flatMap((log) => [...log.matchAll(/"time":"([^"]+)"[^\n]*"This node is master"/g)].map(([, time]) => Date.parse(time!)));
  return Math.min(...times.filter((time) => time >= from));
}
