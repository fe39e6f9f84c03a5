import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { CourierSetup } from '../src/assembly/courier-setup.ts';
import { Secret } from '../src/domain/secret.ts';
import { keptAnswers, readJournals } from '../src/journal/journal-reader.ts';
import { isAnswer, unsealPending, type KeptAnswer, type Pending } from '../src/journal/kept-answer.ts';
import { Courier } from '../src/oauth/courier.ts';
import type { Errand } from '../src/oauth/errand.ts';
import { KeyRing } from '../src/runtime/key-ring.ts';
import { createDatabase, type TestDatabase } from './harness/database.ts';
import type { IssuedGrant } from './harness/provider/judgement.ts';
import { startProvider, type Provider } from './harness/provider/provider.ts';
import { useRedis } from './harness/redis.ts';
import { heardLog, type HeardLog } from './oauth/heard-log.ts';

const redis = useRedis();
const key = randomBytes(32).toString('base64');
const ring = new KeyRing([{ id: 'transit', key: new Secret(key) }]);

let provider: Provider;
let grant: IssuedGrant;
let folder: string;
let log: HeardLog;
let couriers: Courier[];
/** What the service was told to count. */
let counted: string[];
let client: Redis;
let database: TestDatabase;

/** Rows that are claimed: `attempt-0` holds 41, `attempt-1` holds 42, and so on. */
const claimedRows = Array.from({ length: 100 }, (_, index) => [41 + index, 7, 'auth', 1000, 1, 'claimed', `attempt-${index}`]);

beforeAll(async () => {
  database = await createDatabase();
  const connection = await database.connect();
  await connection.query("INSERT INTO tsxwho (tsxwhodid, ownerid, tokenurl, defaultconnectionresettime, isvalid) VALUES (7, 'gw', 'http://localhost/token', 1, 1)");
});

afterAll(() => database.drop());

beforeEach(async () => {
  const connection = await database.connect();
  await connection.query('DELETE FROM tsttoken');
  await connection.query('INSERT INTO tsttoken (tokendid, tsxwhodid, tokenauth, tokenvalidity, isvalid, state, attempt) VALUES ?', [claimedRows]);
  await connection.query('DELETE FROM tstspent');
  await connection.query('INSERT INTO tstspent (fingerprint, tokendid, attempt, epoch) VALUES ?', [claimedRows.map(([version, , , , , , attempt]) => [randomBytes(32), version, attempt, 1])]);
  provider = await startProvider();
  grant = provider.createGrant();
  folder = await mkdtemp(join(tmpdir(), 'tps-courier-'));
  log = heardLog();
  couriers = [];
  counted = [];
  client = new Redis(redis().url);
  await client.flushall();
});

afterEach(async () => {
  provider.clear();
  await Promise.all(couriers.map((courier) => courier.stop()));
  await provider.stop();
  client.disconnect();
  await rm(folder, { recursive: true });
});

function setup(send: Partial<CourierSetup['send']> = {}, url = redis().url): CourierSetup {
  return {
    send: { connectTimeoutMs: 1000, answerTimeoutMs: 4000, ...send },
    journalFolder: join(folder, 'journal'),
    database: { host: database.host, port: database.port, user: database.user, schema: database.schema, password: new Secret(database.password), connectionLimit: 2, queryTimeoutMs: 2000 },
    redis: { endpoint: { url }, prefix: 'tps' },
    ring: { keys: [{ id: 'transit', key: new Secret(key) }] },
  };
}

async function courierWith(options: CourierSetup = setup()): Promise<Courier> {
  const courier = new Courier(options, log, {}, { onFault: (fault) => void counted.push(fault), onRestart: () => void counted.push('restart') });
  couriers.push(courier);
  await courier.start();
  return courier;
}

function errandFor({ tokenUrl, tokenAuth, refreshToken }: IssuedGrant, attempt = 'attempt-1'): Errand {
  const auth = new Secret(tokenAuth);
  return { attempt, version: 41 + Number(attempt.slice('attempt-'.length)), ownerDid: 7, issuedAt: 1000, tokenUrl, auth, refreshToken: new Secret(refreshToken), retryStatuses: [] };
}

const revealed = (answer: Pending | undefined) => (answer && isAnswer(answer) ? [answer.accessToken.reveal(), answer.refreshToken?.reveal()] : answer);

async function journalled(): Promise<KeptAnswer | undefined> {
  for await (const answer of keptAnswers(join(folder, 'journal'), ring)) return answer;
  return undefined;
}

async function pending(attempt = 'attempt-1'): Promise<Pending | undefined> {
  const sealed = await client.hget('tps:{pending}', attempt);
  return sealed === null ? undefined : unsealPending(attempt, sealed, ring);
}

async function phases(): Promise<string[]> {
  const phases: string[] = [];
  for await (const { phase } of readJournals(join(folder, 'journal'), ring)) phases.push(phase);
  return phases;
}

/** Everything that stands on the disk and in Redis, as one text. */
async function allThatIsKept(): Promise<string> {
  const files = (await readdir(join(folder, 'journal'))).map((name) => readFile(join(folder, 'journal', name), 'utf8'));
  return [...(await Promise.all(files)), JSON.stringify(await client.hgetall('tps:{pending}'))].join('\n');
}

function newest(): (string | undefined)[] {
  const tokens = provider.newest(grant.grantId);
  return [tokens?.accessToken, tokens?.refreshToken];
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('The courier', () => {
  it('brings the granted tokens and has kept them on the disk and in Redis, sealed', async () => {
    const courier = await courierWith();
    const answer = await courier.post(errandFor(grant));
    if (answer.kind !== 'granted') throw new Error(answer.kind);
    expect([answer.grant.accessToken.reveal(), answer.grant.refreshToken?.reveal()]).toEqual(newest());
    await courier.stop();
    expect(await phases()).toEqual(['sending', 'granted']);
    expect(revealed(await journalled())).toEqual(newest());
    expect(await pending()).toMatchObject({ attempt: 'attempt-1', version: 42, ownerDid: 7, issuedAt: 1000, validityMs: 3_600_000 });
    expect(revealed(await pending())).toEqual(newest());
    expect(provider.account.presentations).toHaveLength(1);
    const kept = await allThatIsKept();
    for (const secret of [...newest(), grant.refreshToken, grant.tokenAuth]) expect(kept).not.toContain(secret);
  });

  it('records what was refused and what never left, and keeps word of it for the next master', async () => {
    const courier = await courierWith();
    provider.next({ kind: 'invalid-client' });
    expect(await courier.post(errandFor(grant))).toMatchObject({ kind: 'invalid_client', status: 401 });
    await provider.goDown();
    expect(await courier.post(errandFor(grant, 'attempt-2'))).toMatchObject({ kind: 'unreachable' });
    await courier.stop();
    expect(await phases()).toEqual(['sending', 'refused', 'sending', 'not_left']);
    expect(await journalled()).toBeUndefined();
    expect(await pending()).toMatchObject({ version: 42, ownerDid: 7, end: { kind: 'invalid_client', status: 401 } });
    expect(await pending('attempt-2')).toMatchObject({ version: 43, end: { kind: 'unreachable' } });
  });

  it('carries out many errands at a time, each once', async () => {
    const courier = await courierWith();
    const grants = Array.from({ length: 100 }, () => provider.createGrant());
    const answers = await Promise.all(grants.map((each, i) => courier.post(errandFor(each, `attempt-${i}`))));
    expect(answers.every(({ kind }) => kind === 'granted')).toBe(true);
    expect(provider.account).toMatchObject({ refreshes: 100, presentedAgain: 0 });
  });

  it('sends nothing for a claim that is no longer held, and leaves it to whoever holds it', async () => {
    const courier = await courierWith();
    const connection = await database.connect();
    await connection.query("UPDATE tsttoken SET state = 'idle', attempt = NULL WHERE tokendid = 42");
    expect(await courier.post(errandFor(grant))).toEqual({ kind: 'given_back' });
    expect(provider.account.presentations).toHaveLength(0);
  });

  it('moves the claim on to sending before anything leaves', async () => {
    const courier = await courierWith();
    await courier.post(errandFor(grant));
    const connection = await database.connect();
    const [rows] = await connection.query('SELECT state FROM tsttoken WHERE tokendid = 42');
    expect(rows).toEqual([{ state: 'sending' }]);
  });

  it('rejects a row that cannot make a request before anything leaves', async () => {
    const courier = await courierWith();
    await expect(courier.post({ ...errandFor(grant), auth: new Secret('x') })).rejects.toMatchObject({ code: 'TPS0019' });
    expect(await phases()).toEqual([]);
  });

  it('answers although Redis is away, and keeps the tokens on the disk', async () => {
    const courier = await courierWith(setup({}, 'redis://127.0.0.1:1'));
    expect(await courier.post(errandFor(grant))).toMatchObject({ kind: 'granted' });
    expect(revealed(await journalled())).toEqual(newest());
    expect(counted).toEqual([]);
  });

  it('has the service count each record that the disk did not take, and an answer that no place took', async () => {
    await writeFile(join(folder, 'journal'), 'a file is in the way');
    const courier = await courierWith(setup({}, 'redis://127.0.0.1:1'));
    expect(await courier.post(errandFor(grant))).toMatchObject({ kind: 'granted' });
    expect(counted.sort()).toEqual(['journal', 'journal', 'unkept']);
  });

  it('answers although the disk cannot be written to, says so, and keeps the tokens in Redis', async () => {
    await writeFile(join(folder, 'journal'), 'a file is in the way');
    const courier = await courierWith();
    expect(await courier.post(errandFor(grant))).toMatchObject({ kind: 'granted' });
    expect(revealed(await pending())).toEqual(newest());
    expect(log.lines).toContainEqual(expect.stringContaining('error The journal cannot be written to'));
    expect(counted).not.toContain('unkept');
  });

  it('sends nothing to an endpoint whose certificate is not trusted', async () => {
    const untrusted = await startProvider({ tls: 'untrusted' });
    const courier = await courierWith();
    const answer = await courier.post(errandFor(untrusted.createGrant()));
    await untrusted.stop();
    expect(answer).toMatchObject({ kind: 'unreachable', detail: 'the issuer of the certificate is not trusted (UNABLE_TO_VERIFY_LEAF_SIGNATURE)' });
    expect(untrusted.account.presentations).toEqual([]);
  });

  it('has no secret in its command line and environment', async () => {
    const { pid = 0 } = await courierWith();
    const [commandLine, environment] = await Promise.all(['cmdline', 'environ'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8')));
    expect(commandLine).toMatch(/courier\.ts/);
    expect(commandLine).not.toContain(key);
    expect(environment).not.toContain(key);
    expect(environment?.split('\0').filter((entry) => !entry.startsWith('NODE_CHANNEL_') && entry !== '')).toEqual([]);
  });
});

describe('The end of the courier', () => {
  it('leaves what was under way in doubt, and a new one takes over', async () => {
    const courier = await courierWith();
    const first = courier.pid ?? 0;
    provider.next({ kind: 'hang' });
    const underWay = courier.post(errandFor(grant));
    await expect.poll(() => provider.account.presentations.length).toBe(1);
    process.kill(first, 'SIGKILL');
    expect(await underWay).toEqual({ kind: 'in_doubt', status: null, detail: 'the courier ended without an answer' });
    expect(await courier.post(errandFor(provider.createGrant(), 'attempt-2'))).toMatchObject({ kind: 'granted' });
    expect(courier.pid).not.toBe(first);
    expect(counted).toEqual(['restart']);
    expect(await phases()).toEqual(['sending', 'sending', 'granted']);
    expect(provider.account.presentedAgain).toBe(0);
  });

  it('comes after it has finished what is under way, when the service stops', async () => {
    const courier = await courierWith();
    const { pid = 0 } = courier;
    provider.next({ kind: 'slow', ms: 700 });
    const underWay = courier.post(errandFor(grant));
    await expect.poll(() => provider.account.presentations.length).toBe(1);
    await courier.stop();
    expect(await underWay).toMatchObject({ kind: 'granted' });
    expect(isAlive(pid)).toBe(false);
    expect(await courier.post(errandFor(grant, 'attempt-2'))).toEqual({ kind: 'given_back' });
  });

  it('is not brought about by signals meant for the service', async () => {
    const courier = await courierWith();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(courier.pid ?? 0, signal);
    expect(await courier.post(errandFor(grant))).toMatchObject({ kind: 'granted' });
  });

  it('is forced when it hangs, once every deadline has passed', { timeout: 40_000 }, async () => {
    const courier = await courierWith(setup({ connectTimeoutMs: 200, answerTimeoutMs: 200 }));
    process.kill(courier.pid ?? 0, 'SIGSTOP');
    expect(await courier.post(errandFor(grant))).toMatchObject({ kind: 'in_doubt' });
    expect(await courier.post(errandFor(grant, 'attempt-2'))).toMatchObject({ kind: 'granted' });
  });

  it('before it was ready fails the start', async () => {
    const courier = new Courier(setup({ extraCaFile: join(folder, 'missing.pem') }), log);
    couriers.push(courier);
    await expect(courier.start()).rejects.toThrow('The courier ended while it was starting');
    expect(log.lines).toContainEqual(expect.stringMatching(/^error The courier cannot start.*missing\.pem/));
  });
});

describe('When the service is killed in the middle of a request', () => {
  /** A service of nothing but a courier and one errand, in a process of its own. */
  async function serviceWith(errand: Errand, send: Partial<CourierSetup['send']> = {}): Promise<{ service: ChildProcess; courierPid: number }> {
    const script = join(folder, 'service.mts');
    const revealedErrand = JSON.stringify({ ...errand, auth: errand.auth.reveal(), refreshToken: errand.refreshToken.reveal() });
    await writeFile(script, serviceScript(JSON.stringify({ ...setup(send), ring: undefined }), revealedErrand));
    const service = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(service.stdout, 'data')) as [Buffer];
    return { service, courierPid: Number(line.toString()) };
  }

  const source = (path: string): string => JSON.stringify(new URL(`../src/${path}`, import.meta.url).href);

  function serviceScript(options: string, errand: string): string {
    return `
      import { Courier } from ${source('oauth/courier.ts')};
      import { Secret } from ${source('domain/secret.ts')};
      const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };
      const ring = { keys: [{ id: 'transit', key: new Secret(${JSON.stringify(key)}) }] };
      const options = ${options};
      const database = { ...options.database, password: new Secret(${JSON.stringify(database.password)}) };
      const courier = new Courier({ ...options, database, ring }, silent);
      await courier.start();
      console.log(courier.pid);
      const errand = ${errand};
      await courier.post({ ...errand, auth: new Secret(errand.auth), refreshToken: new Secret(errand.refreshToken) });
      await new Promise(() => setInterval(() => undefined, 1000));
    `;
  }

  it('the answer is kept on the disk and in Redis, sealed, the token was presented once, and the courier ends', async () => {
    provider.next({ kind: 'hang' });
    const { service, courierPid } = await serviceWith(errandFor(grant));
    await expect.poll(() => provider.account.presentations.length, { timeout: 5000 }).toBe(1);
    service.kill('SIGKILL');
    await once(service, 'exit');
    expect(isAlive(courierPid)).toBe(true);
    provider.release();
    await expect.poll(async () => revealed(await journalled()), { timeout: 5000 }).toEqual(newest());
    await expect.poll(async () => revealed(await pending()), { timeout: 5000 }).toEqual(newest());
    await expect.poll(() => isAlive(courierPid), { timeout: 5000 }).toBe(false);
    expect(provider.account.presentations).toHaveLength(1);
    const kept = await allThatIsKept();
    for (const secret of [...newest(), grant.refreshToken, grant.tokenAuth]) expect(kept).not.toContain(secret);
  });

  it('and the provider refuses, there is word of that for the next master', async () => {
    provider.next({ kind: 'hang', commits: false });
    const { service, courierPid } = await serviceWith(errandFor(grant));
    await expect.poll(() => provider.account.presentations.length, { timeout: 5000 }).toBe(1);
    service.kill('SIGKILL');
    await once(service, 'exit');
    provider.release();
    await expect.poll(() => isAlive(courierPid), { timeout: 5000 }).toBe(false);
    expect(await pending()).toMatchObject({ attempt: 'attempt-1', end: { kind: 'unavailable', status: 503 } });
  });

  it('and the provider never answers, the courier ends all the same', async () => {
    provider.next({ kind: 'hang' });
    const { service, courierPid } = await serviceWith(errandFor(grant), { answerTimeoutMs: 1000 });
    await expect.poll(() => provider.account.presentations.length, { timeout: 5000 }).toBe(1);
    service.kill('SIGKILL');
    await expect.poll(() => isAlive(courierPid), { timeout: 10_000 }).toBe(false);
    expect(await phases()).toEqual(['sending', 'in_doubt']);
  });

  it('the answer is kept although the service is only paused', async () => {
    provider.next({ kind: 'hang' });
    const { service } = await serviceWith(errandFor(grant));
    await expect.poll(() => provider.account.presentations.length, { timeout: 5000 }).toBe(1);
    service.kill('SIGSTOP');
    provider.release();
    await expect.poll(async () => revealed(await pending()), { timeout: 5000 }).toEqual(newest());
    service.kill('SIGKILL');
    await once(service, 'exit');
  });
});
