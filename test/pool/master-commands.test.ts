import { describe, expect, test } from 'vitest';

import { OwnerTable } from '../../src/mysql/owners.ts';
import { CommandHandler, MasterCommands } from '../../src/pool/master-commands.ts';
import type { RefreshResult } from '../../src/pool/refresh-result.ts';
import type { Term } from '../../src/pool/term.ts';
import { ClusterClock } from '../../src/runtime/clock.ts';
import { silent, useTokenDatabase } from '../mysql/token-database.ts';

const database = useTokenDatabase();
const owners = new OwnerTable({ retryMax: 1, retryDelayMs: 1000 });
const term: Term = { epoch: 1, isTrusted: () => true, signal: new AbortController().signal };
const unused = (): Promise<never> => Promise.reject(new Error('not to be used'));

/** @param refresh what stands for the refresh of a token */
function handlerWith(refresh: (version: number) => Promise<RefreshResult>): CommandHandler {
  return new CommandHandler({ refresh }, { restart: unused }, database().db, owners, database().tokens, silent);
}

function commandsWith(refresh: (version: number) => Promise<RefreshResult>): MasterCommands {
  const { db, tokens } = database();
  return new MasterCommands({ db, owners, tokens, handler: handlerWith(refresh), sender: { send: unused }, clock: new ClusterClock(), term: () => term });
}

async function idOf(ownerDid: number): Promise<string> {
  return (await owners.byDid(database().db, ownerDid))!.id;
}

/** As by an operator whose row comes while the refresh is under way: what it brings stands back. */
async function replaced(version: number, ownerDid: number, columns: { accesstoken: string; tokenvalidity?: number }): Promise<RefreshResult> {
  await database().rows.query('UPDATE tsttoken SET isvalid = 0, uc = 1 WHERE tokendid = ?', [version]);
  await database().addToken(ownerDid, columns);
  await database().addToken(ownerDid, { isvalid: 0, parenttokendid: version });
  return { kind: 'skipped', reason: 'gone' };
}

describe('PUT refresh of a token whose slot an operator gave another row meanwhile', () => {
  test("is answered with that row's token, and never with one of another slot", async () => {
    const ownerDid = await database().addOwner();
    const version = await database().addToken(ownerDid);
    await database().addToken(ownerDid, { tokenauth: 'b3RoZXI6c2VjcmV0', accesstoken: 'of another slot' });
    const commands = commandsWith((refreshed) => replaced(refreshed, ownerDid, { accesstoken: 'inserted' }));
    expect(await commands.refresh(await idOf(ownerDid), String(version))).toBe('inserted');
  });

  test('has no token to answer where that one has expired', async () => {
    const ownerDid = await database().addOwner();
    const version = await database().addToken(ownerDid);
    const commands = commandsWith((refreshed) => replaced(refreshed, ownerDid, { accesstoken: 'expired', tokenvalidity: 1 }));
    await expect(commands.refresh(await idOf(ownerDid), String(version))).rejects.toMatchObject({ code: 'TPS0014' });
  });
});

describe('a command that another master may have begun with', () => {
  test.each([
    ['is not tried again where it failed since it was sent', 1000, false],
    ['is carried out where the token failed before that only', -1000, true],
  ])('%s', async (_what, failedAfterMs, isTried) => {
    const sentAt = Date.now() - 60_000;
    const ownerDid = await database().addOwner();
    const version = await database().addToken(ownerDid, { retrycount: 1 });
    await database().rows.query('UPDATE tsttoken SET statesince = FROM_UNIXTIME(? / 1000) WHERE tokendid = ?', [sentAt + failedAfterMs, version]);
    const tried: number[] = [];
    const handler = handlerWith(async (refreshed) => {
      tried.push(refreshed);
      return { kind: 'refreshed', version: refreshed + 1 };
    });
    const result = await handler.handle({ verb: 'refresh', ownerId: await idOf(ownerDid), version }, term, sentAt);
    expect(tried).toEqual(isTried ? [version] : []);
    expect(result).toEqual(isTried ? { ok: true, version: version + 1 } : { ok: false, code: 'TPS0020' });
  });
});
