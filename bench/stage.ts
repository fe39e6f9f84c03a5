import { setTimeout as sleep } from 'node:timers/promises';

import { startNodes, startStores, type ClusterStores } from '../test/harness/cluster.ts';
import type { NodeProcess } from '../test/harness/node-process.ts';
import type { IssuedGrant, TokenJudge } from '../test/harness/provider/judgement.ts';
import { startProvider, type Provider } from '../test/harness/provider/provider.ts';

const tokenSeconds = 3600;
const settledWithinMs = 120_000;

/** One node with a full pool. */
export interface Stage {
  readonly stores: ClusterStores;
  readonly node: NodeProcess;
  readonly owners: readonly string[];
  readonly tokenLength: number;
  readonly judge: TokenJudge;
}

/** Everything that was started is put on `stack`. */
export async function setStage(ownerCount: number, stack: AsyncDisposableStack): Promise<Stage> {
  const stores = await startStores();
  stack.defer(() => stores.remove());
  const provider = await startProvider({ accessTokenSeconds: tokenSeconds });
  stack.defer(() => provider.stop());
  const { owners, tokenLength } = await addOwners(stores, provider, ownerCount);
  const [node] = await startNodes(stores, { nodes: 1 });
  if (!node) throw new Error('the node did not start');
  stack.defer(async () => { await node.stop(); });
  await untilPlanned(node, ownerCount);
  const stage = { stores, node, owners, tokenLength, judge: provider.isLive };
  await checkAnswers(stage);
  return stage;
}

/** Each owner is answered with its own, living token. @throws Error where one is not */
export async function checkAnswers({ node, owners, judge }: Stage): Promise<void> {
  for (const owner of owners) {
    const answer = await fetch(`${node.appUrl}/tokenservice/${owner}`);
    const { known, expired, revoked, owner: of } = judge(await answer.text());
    if (answer.status !== 200 || !known || expired || revoked || of !== owner) throw new Error(`${owner} was not answered with a living token of its own`);
  }
}

/** A value of the node's metrics; 0 where it has no such series. */
export async function metric({ adminUrl }: NodeProcess, series: string): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}

/** In a few statements: an owner at a time would take longer than the measurement. */
async function addOwners(stores: ClusterStores, provider: Provider, number: number): Promise<{ owners: string[]; tokenLength: number }> {
  const grants = new Map<string, IssuedGrant>();
  for (let index = 1; index <= number; index++) grants.set(`owner-${index}`, provider.createGrant({ owner: `owner-${index}` }));
  const owners = [...grants.keys()];
  await stores.withConnection(async (connection) => {
    const rows = owners.map((owner) => [owner, provider.tokenUrl, 4000, 1, 0, 5, 1000]);
    await connection.query('INSERT INTO tsxwho (ownerid, tokenurl, defaultconnectionresettime, isvalid, reattmptcount, retrymax, retrydelay) VALUES ?', [rows]);
    const [dids] = (await connection.query('SELECT tsxwhodid, ownerid FROM tsxwho')) as unknown as [{ tsxwhodid: number; ownerid: string }[]];
    const tokens = dids.map(({ tsxwhodid, ownerid }) => tokenRow(tsxwhodid, grants.get(ownerid)!));
    await connection.query('INSERT INTO tsttoken (tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken, isvalid) VALUES ?', [tokens]);
  });
  return { owners, tokenLength: grants.get('owner-1')!.accessToken.length };
}

function tokenRow(did: number, { tokenAuth, expiresInMs, accessToken, refreshToken }: IssuedGrant): unknown[] {
  return [did, tokenAuth, expiresInMs, accessToken, refreshToken, 1];
}

/** Until then the node is at work on its first round: that is not what is measured. */
async function untilPlanned(node: NodeProcess, number: number): Promise<void> {
  const deadline = performance.now() + settledWithinMs;
  while ((await metric(node, 'tokenpool_queue_jobs{state="delayed"}')) < number) {
    if (performance.now() > deadline) throw new Error(`the node has not planned all refreshes after ${settledWithinMs / 1000} s`);
    await sleep(200);
  }
}
