import { setTimeout as sleep } from 'node:timers/promises';

import { Secret } from '../../../src/domain/secret.ts';
import { Fingerprints } from '../../../src/runtime/key-ring.ts';
import type { Evidence, Finding } from '../evidence.ts';
import { clusterKeyOf } from './kept-answers.ts';
import { readLedger, type Ledger, type LedgerRow } from './ledger.ts';
import { poolKey, rankOf } from './redis-sampler.ts';
import { Tally } from './tally.ts';
import { isTold } from './told.ts';

const pauseMs = 250;

/** A slot takes the next step of its refresh within this, ms: the drain of the owner's other token and its own come before the request, on a busy machine. */
const stepTakesMs = 8000;

/** But for a request whose sender ended: it is settled once it can have no answer any more, 20 s after it was sent, and a round or two later. */
const requestTakesMs = 25_000;

/**
 * For the living cluster, when it had its time: each slot has a token that lives, is planned for a time to come, has its alarm, and is the one
 * that the live pool shows; or its grant is lost, and people were told.
 * @param patienceMs refreshes go on while the cluster lives, so a slot that was on its way when the time was over is looked at again for as long
 */
export async function converged(evidence: Evidence, patienceMs = 10_000): Promise<Finding> {
  const prints = new Fingerprints(await clusterKeyOf(evidence.record));
  const judged = new Map<string, string | undefined>();
  for (const until = Date.now() + patienceMs; ; await sleep(pauseMs)) {
    const ledger = await readLedger(evidence.record);
    const open = [...currentOfSlots(ledger)].filter(([slot]) => !judged.has(slot));
    for (const [slot, row] of open) {
      const fault = await faultOf(row, evidence, ledger, prints);
      if (fault !== undefined && Date.now() < until && isOnItsWay(row, ledger, evidence.settledAt)) continue;
      judged.set(slot, fault && `token ${row.version} of ${ledger.ownerOf(row).id}: ${fault}`);
    }
    if (open.every(([slot]) => judged.has(slot))) return findingOf([...judged.values()]);
  }
}

function findingOf(verdicts: readonly (string | undefined)[]): Finding {
  const tally = new Tally('Once faults have ended everything converges: tokens live, are planned, have their alarm, and Redis shows what MySQL holds');
  for (const fault of verdicts) tally.case(fault);
  return tally.finding();
}

/** Whether the slot had fallen due, or had taken a step, so short a time before the moment by which all was to be settled, or since, that the next may be to come. */
export function isOnItsWay({ version, state, dueAt }: Pick<LedgerRow, 'version' | 'state' | 'dueAt'>, ledger: Ledger, settledAt: number): boolean {
  const stepAt = ledger.changesOf.get(version)?.at(-1)?.at ?? 0;
  const fellDueAt = dueAt !== null && dueAt <= Date.now() ? dueAt : 0;
  return Math.max(stepAt, fellDueAt) > settledAt - (state === 'sending' ? requestTakesMs : stepTakesMs);
}

/** The newest row of each slot, valid or not, but for those that never were: one that was made invalid and has no successor is a fault. */
function currentOfSlots(ledger: Ledger): Map<string, LedgerRow> {
  return new Map(ledger.rows.filter((row) => !ledger.hasStoodBack(row)).map((row) => [JSON.stringify([row.ownerDid, row.auth]), row]));
}

async function faultOf(row: LedgerRow, evidence: Evidence, ledger: Ledger, prints: Fingerprints): Promise<string | undefined> {
  const { state } = row;
  if (!row.isValid) return 'it is not valid, and nothing took its place';
  if (state === 'claimed' || state === 'sending') return `it is still ${state}`;
  if (state !== 'idle') return lostFault(row, ledger);
  return deathOf(row, evidence, ledger) ?? planFault(row) ?? (await alarmFault(row, evidence)) ?? poolFault(row, evidence, ledger, prints);
}

/** Where a provider does not rotate nothing is lost by asking again. */
function lostFault(row: LedgerRow, ledger: Ledger): string | undefined {
  const state = row.state as 'in_doubt' | 'dead' | 'stopped';
  if (state === 'in_doubt' && ledger.ownerOf(row).policy === 'non_rotating') return 'it is in doubt, and could be asked for again';
  return isTold(row, state, ledger) ? undefined : `it is ${state}, and nobody was told`;
}

function deathOf(row: LedgerRow, { grants }: Evidence, ledger: Ledger): string | undefined {
  const owner = ledger.ownerOf(row).id;
  const provider = grants.find((grant) => grant.owner === owner && grant.grantId === row.grantId)?.provider;
  const { known, expired, revoked } = provider?.isLive(row.accessToken) ?? { known: false, expired: false, revoked: false };
  if (!known || revoked) return 'its provider does not know its access token, or has revoked it';
  return expired || row.expiresAt <= Date.now() ? 'its access token has expired' : undefined;
}

function planFault({ dueAt }: LedgerRow): string | undefined {
  return dueAt !== null && dueAt > Date.now() ? undefined : `it is ${dueAt === null ? 'not planned' : 'overdue'}`;
}

/** A delayed job, by the id of `src/queue/refresh-queue.ts`. */
async function alarmFault({ version, dueAt }: LedgerRow, { redis, redisPrefix }: Evidence): Promise<string | undefined> {
  const queue = `{${redisPrefix}:refresh}:refresh`;
  const job = `t${version}-${dueAt}`;
  const [isThere, score] = await Promise.all([redis.exists(`${queue}:${job}`), redis.zscore(`${queue}:delayed`, job)]);
  return isThere === 1 && score !== null ? undefined : 'it has no alarm';
}

async function poolFault(row: LedgerRow, { redis, redisPrefix }: Evidence, ledger: Ledger, prints: Fingerprints): Promise<string | undefined> {
  const slot = prints.slotOf(row.ownerDid, new Secret(row.auth));
  const value = await redis.hget(poolKey(redisPrefix, ledger.ownerOf(row).id), slot);
  const live = rankOf(value ?? '');
  return live?.version === row.version ? undefined : `Redis shows ${live ? `version ${live.version}` : 'nothing'}`;
}
