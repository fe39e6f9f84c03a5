import { monitorEventLoopDelay } from 'node:perf_hooks';

import { fingerprint } from '../../src/runtime/fingerprint.ts';
import { startReaders } from '../harness/readers.ts';
import type { Readers } from '../harness/readers.ts';
import { count, seconds, whole } from './report.ts';
import type { Report } from './report.ts';
import { secretsIn } from './secrets-in-logs.ts';
import { masterAmong } from './stage.ts';
import type { DemoNode, Stage } from './stage.ts';
import type { DueRefresh } from './system-of-record.ts';
import { NotSeen, orAborted, until } from './until.ts';
import type { Outcome } from './verdict.ts';

const readsPerSecond = 100;
/** Reads under way at most: on a machine too slow for the rate, fewer are made rather than ever more waiting. */
const readsAtOnce = 32;
/** The master is killed so long before the next refresh is due that nobody is there to make it, ms. */
const killBeforeDueMs = 250;
/** Where no refresh is due within this, ms, the kill does not wait for one. */
const patienceForDueMs = 4000;

/** What the steps of the show share. */
interface Scene {
  readonly stage: Stage;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Access tokens seen by callers. */
  readonly seen: Set<string>;
}

/** Plays the show; the readers read from the second step to the end. */
export async function play(stage: Stage, report: Report, signal: AbortSignal): Promise<Outcome> {
  const scene = { stage, report, signal, seen: new Set<string>() };
  await fetchThroughEveryNode(scene);
  const pauses = monitorEventLoopDelay({ resolution: 10 });
  pauses.enable();
  const readers = startReaders({ urls: [stage.balancer.url], owners: stage.owners.names, ratePerSecond: readsPerSecond, atOnce: readsAtOnce, judge: stage.oidc.isLive });
  try {
    report.say(`From here on ${readsPerSecond} reads a second, through the balancer, each token checked.`);
    await seeRefresh(scene, readers);
    const takeover = await killMaster(scene, readers);
    return { ...(await concluded(scene, readers)), ...takeover, longestPauseMs: pauses.max / 1e6 };
  } finally {
    pauses.disable();
    await readers.stop();
  }
}

async function fetchThroughEveryNode({ stage, report, signal, seen }: Scene): Promise<void> {
  const [owner = ''] = stage.owners.names;
  report.step(`GET /tokenservice/${owner}, asked of every node`);
  const master = await until('a master', () => masterAmong(stage.nodes), { timeoutMs: 15_000 }, signal);
  for (const node of stage.nodes) {
    const token = await fetchToken(node.process.appUrl, owner, signal);
    seen.add(token);
    const { known, expiresAt } = stage.oidc.isLive(token);
    if (!known) throw new NotSeen(`${node.name} gave token ${fingerprint(token)}, which the OAuth2 server does not know`);
    report.say(`${node.name} (${node === master ? 'master' : 'follower'})`.padEnd(17) + `  200, token ${fingerprint(token)}, valid for ${seconds(expiresAt - Date.now())} more`);
  }
  report.say('A token itself is never shown: these are the first digits of its SHA-256.');
  const sealed = async (): Promise<true | undefined> => ((await stage.record.rowsInClear()) === 0 ? true : undefined);
  await until('all rows to be sealed', sealed, { timeoutMs: 10_000 }, signal);
  report.say(`MySQL: ${count(stage.owners.grants.length, 'row')} of tokens, inserted in the clear, sealed since by the master: 0 in the clear.`);
}

async function fetchToken(url: string, owner: string, signal: AbortSignal): Promise<string> {
  const path = `${url}/tokenservice/${owner}`;
  const timeout = AbortSignal.timeout(15_000);
  try {
    const answer = await fetch(path, { signal: AbortSignal.any([signal, timeout]) });
    const body = await answer.text();
    if (answer.status === 200) return body;
    throw new NotSeen(`${path} answered ${answer.status} ${body.slice(0, 7)}`);
  } catch (error) {
    throw timeout.aborted ? new NotSeen(`${path} did not answer within 15 s`, { cause: error }) : error;
  }
}

async function seeRefresh({ stage, report, signal, seen }: Scene, readers: Readers): Promise<void> {
  report.step('A refresh, seen from outside');
  const nextOfOne = async (): Promise<DueRefresh | undefined> => (await stage.record.due()).find(({ owner }) => stage.owners.withOneGrant.includes(owner));
  const { owner, at } = await until('a refresh to be planned', nextOfOne, { timeoutMs: 10_000 }, signal);
  const old = await fetchToken(stage.balancer.url, owner, signal);
  const meanwhile = (): void => {
    report.waiting(`the refresh of "${owner}"`, `due in ${Math.max(0, Math.round((at - Date.now()) / 1000))} s; ${readSoFar(readers)}`);
  };
  const look = async (): Promise<string | undefined> => {
    const token = await fetchToken(stage.balancer.url, owner, signal);
    return token === old ? undefined : token;
  };
  const fresh = await until('a refresh', look, { timeoutMs: 30_000, everyMs: 100, meanwhile }, signal);
  seen.add(fresh);
  const [before, after] = [stage.oidc.isLive(old), stage.oidc.isLive(fresh)];
  report.say(`GET /tokenservice/${owner} gave token ${fingerprint(old)}, and now gives ${fingerprint(fresh)}.`);
  const leftMs = before.expiresAt - Date.now();
  report.say(`The old one ${leftMs > 0 ? `was good for another ${seconds(leftMs)}` : `had EXPIRED ${seconds(-leftMs)} before`}, the new one is for ${seconds(after.expiresAt - Date.now())}.`);
}

type Takeover = Pick<Outcome, 'newMasterAfterMs' | 'firstRefreshAfterMs' | 'refreshesByNewMaster'>;

async function killMaster(scene: Scene, readers: Readers): Promise<Takeover> {
  const { stage, report, signal } = scene;
  report.step('The master is killed');
  const old = await until('a master', () => masterAmong(stage.nodes), { timeoutMs: 15_000 }, signal);
  const epoch = await stage.record.epoch();
  const isWorst = await worstMoment(scene);
  const due = await stage.record.due();
  const killedAt = { clock: performance.now(), wall: Date.now() };
  await old.process.kill();
  report.say(`kill -9 ${old.process.pid}: ${old.name}, master of term ${epoch}, is gone${isWorst ? `, ${killBeforeDueMs} ms before a refresh is due` : ''}.`);
  const { newMasterAfterMs, master } = await seeTakeover(scene, killedAt.clock, readers);
  const missed = due.filter(({ at }) => at < killedAt.wall + newMasterAfterMs).length;
  report.say(`${master.name} is master, ${seconds(newMasterAfterMs)} after the kill; ${count(missed, 'refresh', 'refreshes')} fell due in between.`);
  const firstRefreshAfterMs = await seeFirstRefresh(scene, epoch, killedAt.clock, readers);
  await bringBack(scene, old);
  return { newMasterAfterMs, firstRefreshAfterMs, refreshesByNewMaster: await seeAllRenewed(scene, epoch, readers) };
}

/** Waits until right before the next refresh is due. @returns false where none is due soon */
async function worstMoment({ stage, report, signal }: Scene): Promise<boolean> {
  const moment = Math.min(...(await stage.record.due()).map(({ at }) => at)) - killBeforeDueMs;
  const waitMs = moment - Date.now();
  if (waitMs > patienceForDueMs) return false;
  report.waiting('the worst moment', 'right before a refresh is due');
  await until('the worst moment', () => (Date.now() >= moment ? true : undefined), { timeoutMs: patienceForDueMs + 1000, everyMs: 10 }, signal);
  return waitMs > 0;
}

async function seeTakeover({ stage, report, signal }: Scene, killedAt: number, readers: Readers): Promise<{ newMasterAfterMs: number; master: DemoNode }> {
  const meanwhile = (): void => { report.waiting('another node to take over', readSoFar(readers)); };
  const master = await until('a new master', () => masterAmong(stage.nodes), { timeoutMs: 20_000, everyMs: 25, meanwhile }, signal);
  return { newMasterAfterMs: performance.now() - killedAt, master };
}

async function seeFirstRefresh({ stage, report, signal }: Scene, epoch: number, killedAt: number, readers: Readers): Promise<number> {
  const meanwhile = (): void => { report.waiting('the first refresh by the new master', readSoFar(readers)); };
  const look = async () => (await stage.record.refreshesAfter(epoch))[0];
  const first = await until('the first refresh by the new master', look, { timeoutMs: 30_000, meanwhile }, signal);
  const afterMs = performance.now() - killedAt;
  report.say(`Its first refresh: a token of "${first.owner}", ${seconds(afterMs)} after the kill.`);
  return afterMs;
}

async function bringBack({ stage, report, signal }: Scene, node: DemoNode): Promise<void> {
  report.waiting(`${node.name} to come back`);
  node.process = await node.process.again();
  await orAborted(node.process.waitReady(), signal);
  await orAborted(stage.balancer.waitForHealthy(stage.nodes.length), signal);
  const isMaster = (await masterAmong(stage.nodes)) === node;
  report.say(`${node.name} was started again (pid ${node.process.pid}) and serves, as ${isMaster ? 'master' : 'follower'}.`);
}

/** @returns the refreshes made since */
async function seeAllRenewed({ stage, report, signal }: Scene, epoch: number, readers: Readers): Promise<number> {
  const { length: all } = stage.owners.grants;
  let renewed = 0;
  const look = async (): Promise<true | undefined> => {
    renewed = await stage.record.renewedAfter(epoch);
    return renewed >= all ? true : undefined;
  };
  const meanwhile = (): void => { report.waiting('the new master to refresh every grant', `${renewed} of ${all}; ${readSoFar(readers)}`); };
  await until('every grant to be refreshed by the new master', look, { timeoutMs: 45_000, everyMs: 200, meanwhile }, signal);
  report.say(`The new master has refreshed every grant: ${all} of ${all}.`);
  return (await stage.record.refreshesAfter(epoch)).length;
}

async function concluded({ stage, seen }: Scene, readers: Readers): Promise<Omit<Outcome, keyof Takeover | 'longestPauseMs'>> {
  const { oidc, owners, nodes, record, balancer, sealingKey } = stage;
  const reads = await readers.stop();
  const secrets = new Set([...seen, sealingKey, ...oidc.clients.map(({ secret }) => secret), ...owners.grants.flatMap(({ accessToken, refreshToken, tokenAuth }) => [accessToken, refreshToken, tokenAuth])]);
  const { refreshes, presentedTwice, grantsRevoked } = oidc.account;
  return {
    reads,
    resent: balancer.report.resent,
    refreshes,
    presentedTwice,
    grantsRevoked,
    rowsInClear: await record.rowsInClear(),
    secretsInLogs: await secretsIn(nodes.map(({ logFile }) => logFile), secrets),
  };
}

function readSoFar(readers: Readers): string {
  const { reads, failed } = readers.report();
  return `${whole(reads)} reads, ${whole(failed)} failed`;
}
