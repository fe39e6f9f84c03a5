import { afterEach, beforeEach, expect, test } from 'vitest';

import type { Mail } from '../../src/mail/notifier.ts';
import { LapseReporter, type LapsedToken, type LapseTiming } from '../../src/pool/lapse-reporter.ts';
import type { Database } from '../../src/mysql/connection.ts';
import { OwnerTable } from '../../src/mysql/owners.ts';
import { Secret } from '../../src/domain/secret.ts';
import { heardLog, type HeardLog } from '../oauth/heard-log.ts';
import { useTokenDatabase } from '../mysql/token-database.ts';

const database = useTokenDatabase();
const owners = new OwnerTable({ retryMax: 1, retryDelayMs: 1000 });
const short: LapseTiming = { quietMs: 150, patienceMs: 600, pauseMs: 600 };
const soon = { timeout: 5000, interval: 10 };

let mails: { mail: Mail; at: number }[];
let counted: number;
let log: HeardLog;
let reporter: LapseReporter;

beforeEach(() => {
  mails = [];
  counted = 0;
  log = heardLog();
  reporter = reporterOn(database().db);
});

afterEach(() => reporter.stop());

function reporterOn(db: Database): LapseReporter {
  const notifier = { notify: (mail: Mail) => void mails.push({ mail, at: performance.now() }) };
  return new LapseReporter({ db, notifier, metrics: { tokenLapsed: () => counted++ }, logger: log, timing: short });
}

async function lapsedToken(addresses: readonly string[], columns: { retrycount?: number; state?: string } = {}): Promise<LapsedToken> {
  const did = await database().addOwner();
  for (const address of addresses) await database().rows.query('INSERT INTO tstemail (tsxwhodid, tstmailaddr) VALUES (?, ?)', [did, address]);
  const token = await database().token(await database().addToken(did, columns));
  const owner = await owners.byDid(database().db, did);
  return { owner: owner!, token, lapse: { from: 1_900_000_000_000, until: 1_900_000_042_000 } };
}

function mailsTo(address: string): Mail[] {
  return mails.map(({ mail }) => mail).filter(({ to }) => to.includes(address));
}

test('each is counted and logged at once, without a secret', async () => {
  const lapsed = await lapsedToken([]);
  reporter.report(lapsed);
  expect(counted).toBe(1);
  expect(log.lines).toEqual([expect.stringMatching(`error A token expired before it was replaced .*"version":${lapsed.token.version},.*"seconds":42`)]);
  expect(log.lines.join()).not.toContain(lapsed.token.accessToken!.reveal());
});

test('those that come together make one mail for the same recipients, whoever their owners are', async () => {
  const all = [await lapsedToken(['a@example.com']), await lapsedToken(['a@example.com', 'b@example.com']), await lapsedToken(['a@example.com']), await lapsedToken([])];
  for (const lapsed of all) reporter.report(lapsed);
  await expect.poll(() => mailsTo('a@example.com').length, soon).toBe(2);
  const [ofTwo] = mailsTo('a@example.com').filter(({ to }) => to.length === 1);
  expect(ofTwo!.text).toContain(`token ${all[0]!.token.version}: `);
  expect(ofTwo!.text).toContain(`token ${all[2]!.token.version}: `);
  expect(ofTwo!.text).not.toContain(`token ${all[1]!.token.version}: `);
  expect(mailsTo('b@example.com')[0]!.text).toContain(`token ${all[1]!.token.version}: `);
});

test('those that never stop coming are mailed now and then', async () => {
  const lapsed = await lapsedToken(['a@example.com']);
  const begun = performance.now();
  const flood = setInterval(() => reporter.report(lapsed), 20);
  await expect.poll(() => mails.length, soon).toBe(3);
  clearInterval(flood);
  expect(mails[0]!.at - begun).toBeGreaterThanOrEqual(short.patienceMs - 50);
  expect(mails[1]!.at - mails[0]!.at).toBeGreaterThanOrEqual(short.pauseMs - 50);
  expect(mails[2]!.at - mails[1]!.at).toBeGreaterThanOrEqual(short.pauseMs - 50);
});

test('of a refresh that failed, or is in doubt, people know: it is counted and makes no mail', async () => {
  reporter.report(await lapsedToken(['a@example.com'], { retrycount: 1 }));
  reporter.report(await lapsedToken(['a@example.com'], { state: 'in_doubt' }));
  await reporter.stop();
  expect(counted).toBe(2);
  expect(mails).toEqual([]);
});

test('what could not be mailed, since MySQL went away again, is mailed when it is back', async () => {
  const { host, user, password, schema } = database().schema;
  const away = database().open({ host, port: 1, user, password: new Secret(password), schema });
  let isAway = true;
  reporter = reporterOn({ ...database().db, query: (statement, signal) => (isAway ? away : database().db).query(statement, signal) });
  const lapsed = await lapsedToken(['a@example.com']);
  reporter.report(lapsed);
  await expect.poll(() => log.lines.some((line) => line.startsWith('warn ')), soon).toBe(true);
  isAway = false;
  await expect.poll(() => mailsTo('a@example.com').map(({ text }) => text.includes(`token ${lapsed.token.version}: `)), soon).toEqual([true]);
});

test('a stop mails what is gathered', async () => {
  reporter.report(await lapsedToken(['a@example.com']));
  await reporter.stop();
  expect(mailsTo('a@example.com')).toHaveLength(1);
});
