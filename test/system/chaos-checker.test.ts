import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { sealPending } from '../../src/journal/kept-answer.ts';
import { transitKeys } from '../../src/runtime/key-ring.ts';
import { answersMoveForward } from '../chaos/checker/answers-move-forward.ts';
import { examine, type Examination } from '../chaos/checker/check-all.ts';
import { claimedBeforeSent } from '../chaos/checker/claimed-before-sent.ts';
import { converged } from '../chaos/checker/converged.ts';
import { endsDeserved } from '../chaos/checker/ends-deserved.ts';
import { epochsFence } from '../chaos/checker/epochs-fence.ts';
import { onlyGoodTokens } from '../chaos/checker/good-tokens.ts';
import { keptAnswersRecorded } from '../chaos/checker/kept-answers-recorded.ts';
import { clusterKeyOf, transitRing } from '../chaos/checker/kept-answers.ts';
import { readLedger } from '../chaos/checker/ledger.ts';
import { legalSteps } from '../chaos/checker/legal-steps.ts';
import { newestTokenKept } from '../chaos/checker/newest-token-kept.ts';
import { noAnswerLost } from '../chaos/checker/no-answer-lost.ts';
import { noSecretInClear } from '../chaos/checker/no-secret-in-clear.ts';
import { poolMovesForward } from '../chaos/checker/pool-moves-forward.ts';
import { noGrantRevoked, presentedOnce } from '../chaos/checker/presented-once.ts';
import { readsAnswered } from '../chaos/checker/reads-answered.ts';
import { recordMovesForward } from '../chaos/checker/record-moves-forward.ts';
import { poolKey, RedisSampler } from '../chaos/checker/redis-sampler.ts';
import { seenAnswersRecorded } from '../chaos/checker/seen-answers-recorded.ts';
import { lossesWereTold } from '../chaos/checker/told.ts';
import type { Check, Evidence, PlacedGrant, ReadAnswer } from '../chaos/evidence.ts';
import type { Presentation } from '../harness/provider/account.ts';
import { CheckedRun } from './checked-run.ts';

let run: CheckedRun;
let evidence: Evidence;

beforeAll(async () => {
  run = await CheckedRun.start();
  await run.carryOut();
  ({ evidence } = run);
}, 60_000);
afterAll(() => run.stop());

interface ValidRow {
  readonly version: number;
  readonly ownerDid: number;
  readonly dueAt: number;
}

async function validRowOf(owner: string): Promise<ValidRow> {
  const [row] = await run.stores.query<ValidRow>(`SELECT t.tokendid AS version, t.tsxwhodid AS ownerDid, t.dueat AS dueAt FROM tsttoken t
    JOIN tsxwho w ON w.tsxwhodid = t.tsxwhodid WHERE w.ownerid = ? AND t.isvalid = 1 ORDER BY t.tokendid LIMIT 1`, [owner]);
  return row!;
}

function grantOf(owner: string): PlacedGrant {
  return run.grants.find((grant) => grant.owner === owner)!;
}

describe('while the cluster lives', () => {
  const faults = async (): Promise<string[]> => [...(await converged(evidence, 0)).violations];

  it('an alarm that is gone is missed', async () => {
    const { version, dueAt } = await validRowOf('quiet');
    const [queue, job] = ['{tokenpool:refresh}:refresh', `t${version}-${dueAt}`];
    const score = await run.redis.zscore(`${queue}:delayed`, job);
    await run.redis.zrem(`${queue}:delayed`, job);
    expect(await faults()).toContain(`token ${version} of quiet: it has no alarm`);
    await run.redis.zadd(`${queue}:delayed`, score!, job);
  });

  it('what was on its way when the time was over is looked at again, and nothing else is', async () => {
    const { version, dueAt } = await validRowOf('quiet');
    const [delayed, job] = ['{tokenpool:refresh}:refresh:delayed', `t${version}-${dueAt}`];
    const score = await run.redis.zscore(delayed, job);
    await run.redis.zrem(delayed, job);
    const begun = performance.now();
    const stuck = await converged({ ...evidence, settledAt: Date.now() + 60_000 });
    expect(stuck.violations).toContain(`token ${version} of quiet: it has no alarm`);
    expect(performance.now() - begun).toBeLessThan(5000);
    const looked = converged({ ...evidence, settledAt: 0 });
    await sleep(1000);
    await run.redis.zadd(delayed, score!, job);
    expect((await looked).violations).toEqual([]);
  });

  it('a live pool that shows another version is seen, and so is one that lacks a token', async () => {
    const { version } = await validRowOf('quiet');
    const key = poolKey('tokenpool', 'quiet');
    const [[slot, value] = ['', '']] = Object.entries(await run.redis.hgetall(key));
    await run.redis.hset(key, slot, value.replace(/^\d+/, String(version - 1)));
    expect(await faults()).toContain(`token ${version} of quiet: Redis shows version ${version - 1}`);
    await run.redis.hdel(key, slot);
    expect(await faults()).toContain(`token ${version} of quiet: Redis shows nothing`);
    await run.redis.hset(key, slot, value);
  });

  it('a row that was made invalid and has no successor is seen', async () => {
    const { version } = await validRowOf('quiet');
    await run.stores.query('UPDATE tsttoken SET isvalid = 0 WHERE tokendid = ?', [version]);
    expect(await faults()).toContain(`token ${version} of quiet: it is not valid, and nothing took its place`);
    await run.stores.query('UPDATE tsttoken SET isvalid = 1 WHERE tokendid = ?', [version]);
    await run.stores.query('DELETE FROM history WHERE tokendid = ? AND oldvalid IS NOT NULL', [version]);
  });
});

describe('when the nodes were stopped', () => {
  const tables = ['tsttoken', 'tstevent', 'tstepoch', 'history'];
  let examination: Examination;

  beforeAll(async () => {
    examination = await examine(evidence);
    for (const table of tables) await run.stores.query(`CREATE TABLE kept_${table} AS SELECT * FROM ${table}`);
  }, 30_000);

  async function complaints(check: Check, over: Partial<Evidence> = {}): Promise<readonly string[]> {
    return (await check({ ...evidence, ...over }, await readLedger(run.stores))).violations;
  }

  /** The history last: what is done to the others is written down in it. */
  async function putBack(): Promise<void> {
    await run.stores.withConnection(async (connection) => {
      await connection.query('START TRANSACTION');
      for (const table of tables) {
        await connection.query(`DELETE FROM ${table}`);
        await connection.query(`INSERT INTO ${table} SELECT * FROM kept_${table}`);
      }
      await connection.query('COMMIT');
    });
  }

  /** What a check says of a record that somebody changed; the record is then put back. */
  async function afterSql(check: Check, ...statements: string[]): Promise<readonly string[]> {
    for (const sql of statements) await run.stores.query(sql);
    const found = await complaints(check);
    await putBack();
    return found;
  }

  async function withPresentation(provider: PlacedGrant['provider'], presentation: Presentation, check: Check): Promise<readonly string[]> {
    provider.account.presentations.push(presentation);
    const found = await complaints(check);
    provider.account.presentations.pop();
    return found;
  }

  it('every invariant was looked at, and holds', () => {
    expect(examination.findings.filter(({ violations }) => violations.length > 0)).toEqual([]);
    expect(examination.findings.filter(({ cases }) => cases === 0)).toEqual([]);
  });

  it('how each doubt ended is known', () => {
    expect(examination.doubts.map(({ settlement }) => settlement).sort()).toEqual([
      'an operator inserted a new grant',
      'asked again inside the window of grace',
      'asked again where refresh tokens do not rotate',
      'open, and its access token has ended',
    ]);
    expect(examination.refreshes).toBeGreaterThanOrEqual(10);
  });

  it('reads that nobody could serve are excused', () => {
    expect(examination.excused.nobodyUp).toBe(0);
    expect(examination.excused.lostGrants).toBeGreaterThan(0);
    expect(examination.excused.lostGrants).toBe(evidence.reads.failed);
  });

  it('a refresh token that comes back is seen, and one that is tried again when nobody knows', async () => {
    const { provider, grantId } = grantOf('lost');
    const again = { refreshToken: `${grantId}#1`, grantId, at: Date.now() };
    expect(await withPresentation(provider, { ...again, outcome: 'reuse' }, presentedOnce)).toEqual([expect.stringContaining(`${grantId}#1: reuse`)]);
    expect(await withPresentation(provider, { ...again, outcome: 'held off' }, presentedOnce)).toEqual([expect.stringContaining('though nobody knew')]);
  });

  it('a grant that was revoked is seen', async () => {
    const { account } = grantOf('quiet').provider;
    account.grantsRevoked = 1;
    expect(await complaints(noGrantRevoked)).toHaveLength(1);
    account.grantsRevoked = 0;
  });

  it('a request without a claim is seen', async () => {
    const { provider, grantId } = grantOf('quiet');
    expect(await withPresentation(provider, { refreshToken: `${grantId}#1`, grantId, at: Date.now(), outcome: 'refreshed' }, claimedBeforeSent)).toEqual([expect.stringContaining('never marked')]);
    expect(await afterSql(claimedBeforeSent, "DELETE FROM history WHERE newstate = 'sending'")).not.toEqual([]);
    expect(await afterSql(claimedBeforeSent, "UPDATE history SET at = at + INTERVAL 1 HOUR WHERE newstate = 'sending'")).toContainEqual(expect.stringContaining('and marked at'));
  });

  it('a step that the design does not know is seen, and an attempt that another took over', async () => {
    const [quiet, lost] = [await validRowOf('quiet'), await validRowOf('lost')];
    expect(await afterSql(legalSteps, `UPDATE tsttoken SET state = 'sending' WHERE tokendid = ${quiet.version}`)).toEqual([expect.stringContaining('idle -> sending, kept')]);
    expect(await afterSql(legalSteps, `UPDATE tsttoken SET attempt = REPEAT('f', 32) WHERE tokendid = ${lost.version}`)).toEqual([expect.stringMatching(/asked for again \d+ ms after .* reuse_detect/)]);
    expect(await afterSql(legalSteps, `UPDATE tsttoken SET isvalid = 0 WHERE tokendid = ${quiet.version}`)).toEqual([expect.stringContaining('nothing took its place')]);
    expect(await afterSql(legalSteps, 'UPDATE tsttoken SET isvalid = 1 WHERE isvalid = 0 ORDER BY tokendid LIMIT 1')).toEqual([expect.stringContaining('though it had been replaced')]);
  });

  it('a claim under an old epoch is seen, and an epoch that goes back', async () => {
    const { version } = await validRowOf('quiet');
    const claim = `UPDATE tsttoken SET state = 'claimed', attempt = REPEAT('e', 32), attemptepoch = (SELECT epoch FROM tstepoch) - 1 WHERE tokendid = ${version}`;
    expect(await afterSql(epochsFence, 'UPDATE tstepoch SET epoch = epoch + 1', claim)).toEqual([expect.stringContaining(`token ${version} was claimed under epoch`)]);
    expect(await afterSql(epochsFence, 'UPDATE tstepoch SET epoch = epoch - 1')).toEqual([expect.stringMatching(/epoch \d+ began after \d+/)]);
  });

  it('a token that the provider issued and the record lacks is seen, unless it is in doubt and that was said', async () => {
    const lost = await validRowOf('lost');
    const pair = await validRowOf('pair');
    expect(await afterSql(newestTokenKept, `UPDATE tsttoken SET refreshtoken = CONCAT(refreshtoken, 'x') WHERE tokendid = ${pair.version}`)).toEqual([expect.stringMatching(/^pair, grant-\d+: the provider is at grant-/)]);
    expect(await afterSql(newestTokenKept, `UPDATE tsttoken SET state = 'idle', attempt = NULL WHERE tokendid = ${lost.version}`)).toEqual([expect.stringContaining('lost, grant-')]);
    expect(await afterSql(newestTokenKept, "DELETE FROM tstevent WHERE status = '4010'")).toContainEqual(expect.stringContaining('lost, grant-'));
  });

  it('an answer that was kept and never recorded is seen', async () => {
    const { version, ownerDid } = await validRowOf('lost');
    const [{ attempt }] = await run.stores.query<{ attempt: string }>('SELECT attempt FROM tsttoken WHERE tokendid = ?', [version]) as [{ attempt: string }];
    const answer = { attempt, version, ownerDid, issuedAt: 0, accessToken: new Secret('a'), refreshToken: null, validityMs: null };
    await run.redis.hset('tokenpool:{pending}', { [attempt]: sealPending(answer, await transitRing(run.stores)), unreadable: 'sealed:v1:cluster:xxxx' });
    expect(await complaints(keptAnswersRecorded)).toEqual(['attempt unreadable: what was kept cannot be read', `the answer for token ${version}: the token is in_doubt and has no successor`]);
    await run.redis.del('tokenpool:{pending}');
    expect(await afterSql(keptAnswersRecorded, "UPDATE tsttoken SET accesstoken = CONCAT(accesstoken, 'x') WHERE parenttokendid IS NOT NULL LIMIT 1")).toEqual([expect.stringContaining('holds other tokens')]);
  });

  it('an answer that somebody saw on a disk and that nobody recorded is seen', async () => {
    const { version } = await validRowOf('lost');
    const [{ attempt }] = await run.stores.query<{ attempt: string }>('SELECT attempt FROM tsttoken WHERE tokendid = ?', [version]) as [{ attempt: string }];
    expect(await complaints(seenAnswersRecorded, { seenOnDisk: [attempt] })).toEqual([`the answer for token ${version}: the token is in_doubt and has no successor`]);
  });

  it('a doubt without a cause is seen', async () => {
    const { provider, grantId } = grantOf('lost');
    const presentation = provider.account.presentations.find((each) => each.grantId === grantId)!;
    const { behaviour } = presentation;
    delete presentation.behaviour;
    presentation.answeredAt = presentation.at;
    expect(await complaints(noAnswerLost)).toEqual([expect.stringContaining('the provider had answered (refreshed)')]);
    const [{ node }] = await run.stores.query<{ node: string }>('SELECT attemptnode AS node FROM tsttoken WHERE tokendid = ?', [(await validRowOf('lost')).version]) as [{ node: string }];
    expect(await complaints(noAnswerLost, { courierDeaths: [{ node, at: presentation.at + 1 }] })).toEqual([]);
    expect(await complaints(noAnswerLost, { courierDeaths: [{ node: 'another', at: presentation.at + 1 }] })).toEqual([expect.stringContaining('the provider had answered (refreshed)')]);
    delete presentation.answeredAt;
    if (behaviour) presentation.behaviour = behaviour;
    provider.account.presentations.splice(provider.account.presentations.indexOf(presentation), 1);
    expect(await complaints(noAnswerLost)).toEqual([expect.stringContaining('nothing of it had come to the provider')]);
    provider.account.presentations.unshift(presentation);
  });

  it('a good token that was declared dead or stopped is seen', async () => {
    const { version } = await validRowOf('quiet');
    expect(await afterSql(endsDeserved, `UPDATE tsttoken SET state = 'dead' WHERE tokendid = ${version}`)).toEqual([expect.stringContaining('no other row had used its refresh token')]);
    expect(await afterSql(endsDeserved, `UPDATE tsttoken SET state = 'stopped' WHERE tokendid = ${version}`)).toEqual([expect.stringContaining('a request could have been made for it')]);
  });

  it('a loss that nobody was told of is seen', async () => {
    expect(await afterSql(lossesWereTold, "DELETE FROM tstevent WHERE status = '4010' LIMIT 1")).toEqual([expect.stringContaining('no event says so')]);
  });

  it('a record that goes back, forks or doubles is seen', async () => {
    const quiet = await validRowOf('quiet');
    const swap = `UPDATE tsttoken a JOIN tsttoken b ON b.parenttokendid = a.tokendid JOIN (SELECT MIN(parenttokendid) AS first FROM tsttoken) f ON a.tokendid = f.first
      JOIN (SELECT tokendid, accesstoken FROM tsttoken) x ON x.tokendid = a.tokendid SET a.accesstoken = b.accesstoken, b.accesstoken = x.accesstoken`;
    expect(await afterSql(recordMovesForward, swap)).toContainEqual(expect.stringMatching(/access token 1 and refresh token \d+ follow 2/));
    expect(await afterSql(recordMovesForward, `INSERT INTO tsttoken (tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken, isvalid) SELECT tsxwhodid, tokenauth, 1, 'at_99_1_', 'rt_99_1_', 1 FROM tsttoken WHERE tokendid = ${quiet.version}`)).toEqual([expect.stringContaining('its slot has another valid token')]);
    expect(await afterSql(recordMovesForward, 'UPDATE tsttoken SET parenttokendid = NULL WHERE parenttokendid IS NOT NULL LIMIT 1')).toEqual([expect.stringContaining('its parent is none')]);
  });

  it('a lower rank in Redis is seen, and an absent field is none', async () => {
    const sampler = new RedisSampler(run.redis, 'checked', () => ['ghost']);
    const key = poolKey('checked', 'ghost');
    const look = async (value?: string): Promise<void> => {
      await (value === undefined ? run.redis.del(key) : run.redis.hset(key, 'slot', value));
      await sampler.look();
    };
    for (const value of ['7:3:r:0:', '7:4:w:0:', '8:0:r:0:', undefined, '8:0:r:0:']) await look(value);
    expect(await complaints(poolMovesForward, { poolWatch: sampler })).toEqual([]);
    await look('7:4:w:0:');
    expect(await complaints(poolMovesForward, { poolWatch: sampler })).toEqual([expect.stringContaining('ghost: version 7 (update 4) after version 8 (update 0)')]);
  });

  const good = (over: Partial<ReadAnswer>): ReadAnswer => ({ owner: 'quiet', sentAt: Date.now(), endedAt: Date.now(), servedBy: 'a:1', status: 200, why: undefined, grantId: 'grant-1', sequence: 1, ...over });

  it('an older token than the same node gave before is seen, and none where the reads overlap', async () => {
    const first = good({ sequence: 2, sentAt: 100, endedAt: 110 });
    expect(await complaints(answersMoveForward, { answers: [first, good({ sentAt: 111, endedAt: 112 })] })).toEqual([expect.stringContaining('access token 1 of grant-1, after 2')]);
    expect(await complaints(answersMoveForward, { answers: [first, good({ sentAt: 105, endedAt: 112 })] })).toEqual([]);
    expect(await complaints(answersMoveForward, { answers: [first, good({ sentAt: 111, endedAt: 112, servedBy: 'b:1' })] })).toEqual([]);
  });

  it('a token that was no good is seen', async () => {
    expect(await complaints(onlyGoodTokens, { answers: [good({ why: 'expired' })] })).toEqual([expect.stringContaining('quiet: expired')]);
  });

  it('a read that failed while a token lived is seen, unless nobody was there', async () => {
    const at = evidence.answers[0]!.sentAt;
    const answers = [good({ sentAt: at, endedAt: at + 5, status: null, why: 'ETIMEDOUT', grantId: undefined, sequence: undefined })];
    expect(await complaints(readsAnswered, { answers })).toEqual([expect.stringMatching(/quiet: ETIMEDOUT .* lived until/)]);
    expect(await complaints(readsAnswered, { answers, nobodyUp: [{ from: at - 1, until: at + 1 }] })).toEqual([]);
  });

  it('a read that failed because a refresh never came is seen', async () => {
    const { version } = await validRowOf('lost');
    expect(await afterSql(readsAnswered, `DELETE FROM history WHERE tokendid = ${version} AND oldstate IS NOT NULL`)).toContainEqual(expect.stringMatching(/had ended at [\d:.]+ and its refresh was not lost \(due /));
  });

  it('a key of the cluster and the login of the nodes are seen, in whatever form, and a secret in an event', async () => {
    const key = Buffer.from((await clusterKeyOf(run.stores)).reveal(), 'base64');
    const [{ key: transit } = { key: undefined }] = transitKeys([], await clusterKeyOf(run.stores));
    const shown = [key.toString('base64'), key.toString('base64url'), key.toString('hex'), JSON.stringify(key), inspect(key), `"${transit!.reveal()}"`, 'login: the password of all nodes'];
    const found = await complaints(noSecretInClear, { logs: shown, nodePassword: 'the password of all nodes' });
    expect(found.map((leak) => Number(/^log (\d):/.exec(leak)?.[1]))).toEqual(expect.arrayContaining(shown.map((_, index) => index + 1)));
    expect(await afterSql(noSecretInClear, "UPDATE tstevent SET text = 'refused: at_1_2_abcdef' LIMIT 1")).toEqual([expect.stringContaining('tstevent: a token')]);
  });

  it('a secret in the clear is seen, in a log, a journal and Redis', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'checked-journal-'));
    await writeFile(join(folder, 'x.journal'), Buffer.from('client-a:the secret of client a').toString('base64'));
    await run.redis.set('leak', 'at_1_2_abcdef');
    const found = await complaints(noSecretInClear, { logs: [`password ${run.stores.mariaDb.password}`], journalFolders: [folder] });
    await Promise.all([run.redis.del('leak'), rm(folder, { recursive: true })]);
    for (const place of ['log 1: the password of the database', 'journal x.journal: the authentication of client-a', 'Redis leak: a token']) expect(found).toContainEqual(expect.stringContaining(place));
    expect(found.join()).not.toContain('abcdef');
  });
});
