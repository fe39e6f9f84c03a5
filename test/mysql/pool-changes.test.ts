import { describe, expect, test } from 'vitest';

import type { HistoryEvent } from '../../src/domain/event.ts';
import { returnStep } from '../../src/domain/token.ts';
import { ClaimTable, type Claim } from '../../src/mysql/claims.ts';
import { markSending } from '../../src/mysql/mark-sending.ts';
import { PoolChanges } from '../../src/mysql/pool-changes.ts';
import { TermTable } from '../../src/mysql/terms.ts';
import { newAttempt, prints, useTokenDatabase } from './token-database.ts';

const database = useTokenDatabase();

function changes(): PoolChanges {
  return new PoolChanges(database().db);
}

function event(): HistoryEvent {
  return { job: `job-${newAttempt()}`, event: '2011', status: '4014', text: 'the pool was restarted' };
}

async function written({ job }: HistoryEvent): Promise<number> {
  return (await database().select('SELECT 1 FROM tstevent WHERE jobname = ?', job)).length;
}

describe('a restart', () => {
  test('makes idle, stopped and dead tokens idle without failures or plan, and shows 0 failures', async () => {
    const ownerDid = await database().addOwner({ reattmptcount: 5 });
    const versions: number[] = [];
    for (const state of ['idle', 'stopped', 'dead']) versions.push(await database().addToken(ownerDid, { state, retrycount: 5, dueat: 1000 }));
    const restarted = event();
    await changes().restart(ownerDid, restarted);
    for (const version of versions) expect(await database().row(version)).toMatchObject({ state: 'idle', retrycount: 0, dueat: null, uc: returnStep });
    expect(await database().select('SELECT reattmptcount FROM tsxwho WHERE tsxwhodid = ?', ownerDid)).toEqual([{ reattmptcount: 0 }]);
    expect(await written(restarted)).toBe(1);
  });

  test('never touches a token whose refresh token is claimed, sent or in doubt', async () => {
    const ownerDid = await database().addOwner();
    for (const state of ['claimed', 'sending', 'in_doubt']) {
      const attempt = newAttempt();
      const version = await database().addToken(ownerDid, { state, attempt, retrycount: 2, dueat: 7 });
      await changes().restart(ownerDid, event());
      expect(await database().row(version)).toMatchObject({ state, attempt, retrycount: 2, dueat: 7, uc: 0 });
    }
  });

  test('leaves replaced tokens and those of other owners alone', async () => {
    const [ownerDid, other] = [await database().addOwner(), await database().addOwner()];
    const replaced = await database().addToken(ownerDid, { isvalid: 0, state: 'stopped' });
    const others = await database().addToken(other, { state: 'stopped' });
    await changes().restart(ownerDid, event());
    expect(await database().row(replaced)).toMatchObject({ state: 'stopped' });
    expect(await database().row(others)).toMatchObject({ state: 'stopped' });
  });

  test('makes a claim out of date that was read before it', async () => {
    const ownerDid = await database().addOwner();
    const token = await database().token(await database().addToken(ownerDid));
    const epoch = await new TermTable(database().db, 'a').begin(1000);
    await changes().restart(ownerDid, event());
    expect(await new ClaimTable(database().db, prints, 'a').claim(token, { version: token.version, ownerDid, attempt: newAttempt(), epoch })).toBe('stale');
  });
});

describe.each([
  ['ending', (version: number) => changesOf('end', version)],
  ['superseding', (version: number) => changesOf('supersede', version)],
] as const)('%s a token', (_name, change) => {
  test('happens to an idle row as it was read, once, and is written to the history', async () => {
    const version = await database().addToken(await database().addOwner(), { dueat: 5 });
    const { apply, told } = await change(version);
    expect(await apply()).toBe(true);
    expect(await apply()).toBe(false);
    expect(await database().row(version)).toMatchObject({ dueat: null, uc: 1, attempt: null });
    expect(await written(told)).toBe(1);
  });

  test('is refused where the row was claimed or changed since it was read', async () => {
    for (const set of ["state = 'claimed'", 'uc = uc + 1', 'isvalid = 0']) {
      const version = await database().addToken(await database().addOwner());
      const { apply, told } = await change(version);
      await database().rows.query(`UPDATE tsttoken SET ${set} WHERE tokendid = ?`, [version]);
      expect(await apply()).toBe(false);
      expect(await written(told)).toBe(0);
    }
  });
});

describe('superseding a token that a refresh holds', () => {
  async function held(step: 'claimed' | 'sending' | 'in_doubt'): Promise<Claim> {
    const ownerDid = await database().addOwner();
    const token = await database().token(await database().addToken(ownerDid));
    const claim = { version: token.version, ownerDid, attempt: newAttempt(), epoch: await new TermTable(database().db, 'a').begin(1000) };
    const claims = new ClaimTable(database().db, prints, 'a');
    await claims.claim(token, claim);
    if (step !== 'claimed') await markSending(database().db, claim);
    if (step === 'in_doubt') await claims.markInDoubt(claim.version, claim.attempt, event());
    return claim;
  }

  async function supersede(claim: Claim): Promise<boolean> {
    return changes().supersede(await database().token(claim.version), event());
  }

  async function isSpent({ attempt }: Claim): Promise<boolean> {
    return (await database().select('SELECT 1 FROM tstspent WHERE attempt = ?', attempt)).length > 0;
  }

  test('takes a claim back that was not sent: its holder cannot send any more', async () => {
    const claim = await held('claimed');
    expect(await supersede(claim)).toBe(true);
    expect(await markSending(database().db, claim)).toBe(false);
    expect(await isSpent(claim)).toBe(false);
    expect(await database().row(claim.version)).toMatchObject({ valid: 0, state: 'idle' });
  });

  test('races the marking as sent, and one of the two wins', async () => {
    for (let round = 0; round < 10; round++) {
      const claim = await held('claimed');
      const [superseded, marked] = await Promise.all([supersede(claim).catch(() => false), markSending(database().db, claim)]);
      expect([superseded, marked].filter(Boolean)).toHaveLength(1);
      expect(await isSpent(claim)).toBe(marked);
    }
  });

  test('is refused while its answer is awaited', async () => {
    const claim = await held('sending');
    expect(await supersede(claim)).toBe(false);
    expect(await database().row(claim.version)).toMatchObject({ valid: 1, state: 'sending' });
  });

  test('leaves a refresh token that is in doubt spent for ever', async () => {
    const claim = await held('in_doubt');
    expect(await supersede(claim)).toBe(true);
    expect(await isSpent(claim)).toBe(true);
  });
});

test('bringing a row back that was invalid lets it outrank its withdrawal, once', async () => {
  const version = await database().addToken(await database().addOwner(), { uc: 3 });
  const token = await database().token(version);
  expect(await changes().bringBack(token)).toBe(true);
  expect((await database().token(version)).uc).toBe(3 + returnStep);
  expect(await changes().bringBack(token)).toBe(false);
});

async function changesOf(kind: 'end' | 'supersede', version: number): Promise<{ apply: () => Promise<boolean>; told: HistoryEvent }> {
  const [token, told] = [await database().token(version), event()];
  return { told, apply: () => (kind === 'end' ? changes().end(token, 'dead', told) : changes().supersede(token, told)) };
}

test('an ended row is valid and dead, a superseded one is valid no more', async () => {
  const ownerDid = await database().addOwner();
  const [ended, superseded] = [await database().addToken(ownerDid), await database().addToken(ownerDid)];
  await changes().end(await database().token(ended), 'dead', event());
  await changes().supersede(await database().token(superseded), event());
  expect(await database().row(ended)).toMatchObject({ valid: 1, state: 'dead' });
  expect(await database().row(superseded)).toMatchObject({ valid: 0 });
});
