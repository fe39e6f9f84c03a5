import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { OwnedGrant } from '../harness/system-of-record.ts';
import type { Behaviour } from '../harness/provider/behaviour.ts';
import { startProvider } from '../harness/provider/provider.ts';
import type { Provider } from '../harness/provider/provider.ts';
import { startSmtpSink } from '../harness/smtp-sink.ts';
import type { SmtpSink } from '../harness/smtp-sink.ts';
import { call, refresh, restart, tokenOf } from './caller.ts';
import { argumentsOf, childrenOf } from './child-processes.ts';
import { contentOf } from './redis-content.ts';
import { soon, useScene } from './scene.ts';
import type { OwnerOnScene } from './scene.ts';
import { SecretWatch } from './secret-watch.ts';

const watch = new SecretWatch();
const random = (name: string): string => watch.guard(name, randomBytes(18).toString('base64url'));
const client = { id: 'client-a', secret: random('client secret') };
const other = { id: 'client-b', secret: random('other client secret') };
const oldSecret = random('old client secret');
const redisPassword = random('Redis password');
const mailPassword = random('mail password');
const sealingKey = watch.guard('sealing key', randomBytes(32).toString('base64'));
const urlPassword = random('password in a token URL');
const urlKey = random('key in the query of a token URL');

let mailServer: SmtpSink;
let untrusted: Provider;
let monitor: Redis;
const redisTraffic: string[] = [];
const bodies: string[] = [];

const scene = useScene({
  provider: { clients: [client, other] },
  nodes: [{}, {}],
  prepare: async (on) => {
    watch.guard('database password', on.stores.mariaDb.password);
    mailServer = await startSmtpSink({ auth: { username: 'mailer', password: mailPassword } });
    untrusted = await startProvider({ tls: 'untrusted', clients: [client] });
    await listenToRedis(on.stores.redis.url);
    await on.addOwner({ ownerId: 'somebody' });
  },
  config: (on) => ({
    waitingTimeForToken: 200,
    retryAttempt: 5,
    retryResponseCodes: '500',
    refresh: { requestTimeout: 800 },
    redis: { url: on.stores.redis.url, password: redisPassword },
    logging: { level: 'ALL', appenders: [{ type: 'console' }] },
    sealing: { keys: [{ id: 'k', key: sealingKey }] },
    tslMailConfig: { port: mailServer.port, isAuth: true, username: 'mailer', password: mailPassword },
  }),
});
afterAll(async () => {
  monitor.disconnect();
  await Promise.all([mailServer.stop(), untrusted.stop()]);
});

/** From now on Redis wants its password; what is sent to it is heard, but for the password itself, which Redis does not tell. */
async function listenToRedis(url: string): Promise<void> {
  const redis = new Redis(url);
  monitor = await redis.monitor();
  await redis.config('SET', 'requirepass', redisPassword);
  redis.disconnect();
  monitor.on('monitor', (_time: string, args: string[]) => redisTraffic.push(args.join(' ')));
}

const misbehaviours: readonly Behaviour[] = [
  { kind: 'status', status: 500 },
  { kind: 'status', status: 404 },
  { kind: 'status', status: 429, retryAfter: 1 },
  { kind: 'status', status: 502, afterCommit: true },
  { kind: 'invalid-client' },
  { kind: 'error-in-200', error: 'invalid_request' },
  { kind: 'redirect' },
  { kind: 'drop-request' },
  { kind: 'lose-answer' },
  { kind: 'cut-body' },
  { kind: 'hang' },
  { kind: 'trickle', ms: 200 },
  { kind: 'garbage' },
  { kind: 'empty' },
  { kind: 'oversized' },
  { kind: 'form-encoded' },
  { kind: 'content-type', value: 'text/html' },
  { kind: 'omit', field: 'access_token' },
  { kind: 'omit', field: 'refresh_token' },
  { kind: 'expires-in', as: 'text' },
  { kind: 'long-tokens', length: 9000 },
  { kind: 'same-access-token' },
];

/** Rows that no refresh can succeed with. */
const brokenRows = (): readonly Partial<OwnedGrant>[] => [
  { tokenUrl: 'http://127.0.0.1:1/token' },
  { tokenUrl: untrusted.tokenUrl },
  { tokenUrl: `http://gateway:${urlPassword}@127.0.0.1:${scene.provider.port}/token` },
  { tokenUrl: `${scene.provider.tokenUrl}?api_key=${urlKey}` },
  { tokenUrl: `no address but ${urlPassword}` },
  { tokenAuth: client.secret },
  { tokenAuth: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}` },
  { tokenAuth: Buffer.from(`${client.id}:${oldSecret}`).toString('base64') },
];

/** Keeps what callers get who get no token. */
async function heard(answer: Promise<{ status: number; body: string }>): Promise<void> {
  const { status, body } = await answer;
  if (status !== 200) bodies.push(body);
}

let owners: OwnerOnScene[];

beforeAll(async () => {
  const rows = [...misbehaviours.map(() => ({})), ...brokenRows()];
  owners = await Promise.all(rows.map((row, index) => scene.addOwner({ ownerId: `owner ${index}`, row, retryMax: 1, retryDelayMs: 100, mailTo: ['ops@example.com'] })));
  for (const [index, behaviour] of misbehaviours.entries()) scene.provider.next(behaviour, { grantId: owners[index]!.grant.grantId, times: 2 });
});

describe('what callers do', () => {
  it('refreshes of all kinds of failure are carried out', async () => {
    for (const node of scene.nodes) await Promise.all(owners.map(({ id, grant }) => heard(refresh(node, id, grant.accessToken))));
    await Promise.all(owners.map(({ id }) => heard(tokenOf(scene.nodes[0]!, id))));
    await Promise.all(owners.map(({ id }) => heard(restart(scene.nodes[1]!, id))));
    expect(new Set(bodies.map((body) => body.slice(0, 7)))).toEqual(new Set(['TPS0010', 'TPS0018', 'TPS0019', 'TPS0020', 'TPS0021', 'TPS0025', 'TPS0026', 'TPS0030']));
  });

  it('a provider that quotes what it was sent is heard', async () => {
    const owner = await scene.addOwner({ ownerId: 'quoted', retryDelayMs: 100, mailTo: ['ops@example.com'] });
    const description = `token ${owner.grant.refreshToken} of ${client.id}:${client.secret} (${owner.grant.tokenAuth}) is gone`;
    scene.provider.next({ kind: 'invalid-grant', description }, { grantId: owner.grant.grantId, times: 2 });
    await heard(refresh(scene.nodes[0]!, owner.id, owner.grant.accessToken));
    await expect.poll(async () => (await scene.validRows(owner.did))[0]?.state, soon).toBe('dead');
  });

  it('a copied row is found out', async () => {
    const [one, copy] = await Promise.all([scene.addOwner({ ownerId: 'original' }), scene.addOwner({ ownerId: 'same', clients: [] })]);
    await heard(refresh(scene.nodes[0]!, one.id, one.grant.accessToken));
    await scene.stores.addToken(one.did, { ...one.grant, tokenAuth: Buffer.from(`${other.id}:${other.secret}`).toString('base64') });
    await heard(refresh(scene.nodes[1]!, one.id, one.grant.accessToken));
    await heard(restart(scene.nodes[1]!, copy.id));
  });

  it('malformed requests with a token in them are refused', async () => {
    const { id, grant } = await scene.addOwner({ ownerId: 'clumsy' });
    const [node, token] = [scene.nodes[1]!, grant.accessToken];
    const paths = [`/tokenservice/${token}`, `/tokenservice/refresh/${id}/${token}%zz`, `/tokenservice/refresh/${id}/${token}/more`, `/somewhere/${token}`, `/tokenservice/refresh/${token}/${id}`, `/swagger/${token}`, `/tokenservice/${id}?access_token=${token}`];
    for (const path of paths) for (const method of ['GET', 'PUT'] as const) await heard(call(method, `${node.appUrl}${path.replaceAll(' ', '%20')}`));
    for (const path of paths) await heard(call('GET', `${node.adminUrl}${path}`));
    await call('GET', `${node.appUrl}/tokenservice/${token}${'x'.repeat(70_000)}`).then(({ body }) => bodies.push(body), () => undefined);
    await heard(refresh(node, id, `${token}x`));
  });
});

describe('what befalls the stores and the mail server', () => {
  it('a refused log-in of the mail server', async () => {
    await expect.poll(() => mailServer.mails.length, soon).toBeGreaterThan(20);
    mailServer.failWith({ at: 'auth', code: 535, message: 'wrong password' });
    const owner = await scene.addOwner({ ownerId: 'no mail', row: { tokenUrl: 'http://127.0.0.1:1/token' }, retryMax: 0, mailTo: ['ops@example.com'] });
    await heard(refresh(scene.nodes[0]!, owner.id, owner.grant.accessToken));
    await expect.poll(() => scene.output(), soon).toContain('TPS0028:Email sending failed');
    mailServer.failWith(null);
  });

  it('the end of the master, of the database, and a pause of Redis', async () => {
    const master = await scene.master();
    const calls = owners.slice(0, 6).map(({ id }) => heard(tokenOf(master, id)).catch(() => undefined));
    await master.kill();
    await Promise.all(calls);
    await scene.startNode();
    scene.stores.redis.freeze();
    await Promise.all(owners.map(({ id }) => heard(tokenOf(scene.nodes.at(-1)!, id))));
    scene.stores.redis.thaw();
    await scene.stores.mariaDb.stop();
    const left = scene.nodes.filter(({ isRunning }) => isRunning);
    await Promise.all(left.flatMap((node) => [heard(tokenOf(node, 'nobody')), heard(refresh(node, owners[0]!.id, owners[0]!.grant.accessToken)), heard(call('GET', `${node.adminUrl}/healthcheck`))]));
    await scene.stores.mariaDb.restart();
    await expect.poll(async () => (await tokenOf(left[0]!, 'somebody')).status, soon).toBe(200);
  });
});

describe('no token, secret or password is seen', () => {
  it('in the log of any node, at any level', () => {
    const output = scene.output();
    expect(output).toContain('"level":"DEBUG"');
    expect(output).toContain('A refresh failed');
    expect(watch.leaksIn('log', output)).toEqual([]);
  });

  it('in an answer without a token', () => {
    expect(bodies.length).toBeGreaterThan(60);
    expect(bodies.flatMap((body) => watch.leaksIn('answer', body))).toEqual([]);
  });

  it('in a mail', () => {
    expect(mailServer.mails.flatMap(({ subject, text }) => watch.leaksIn(subject, `${subject}\n${text}`))).toEqual([]);
  });

  it('in the history', async () => {
    const events = await scene.stores.query('SELECT * FROM tstevent');
    expect(events.length).toBeGreaterThan(50);
    expect(watch.leaksIn('tstevent', events.map((event) => JSON.stringify(event)).join('\n'))).toEqual([]);
  });

  it('on the admin port', async () => {
    for (const node of scene.nodes.filter(({ isRunning }) => isRunning)) {
      for (const path of ['/', '/metrics', '/healthcheck', '/cluster', '/ready']) expect(watch.leaksIn(path, (await call('GET', `${node.adminUrl}${path}`)).body)).toEqual([]);
    }
  });

  it('in Redis, or on the way to it', async () => {
    const content = await contentOf(scene.stores.redis.url, redisPassword);
    expect(content).toContain('sealed:v1:k:');
    expect(redisTraffic.length).toBeGreaterThan(500);
    expect(watch.leaksIn('Redis', content)).toEqual([]);
    // A look-up names what the caller wrote in the place of the owner.
    const traffic = redisTraffic.filter((line) => !/^hgetall tokenpool:pool:\{[^}]*\}$/.test(line));
    expect(watch.leaksIn('traffic', traffic.join('\n'))).toEqual([]);
  });

  it('in a journal', async () => {
    const folders = scene.nodes.map((_, index) => scene.journalFolder(index + 1));
    const files = await Promise.all(folders.map(async (folder) => (await readdir(folder)).map((name) => join(folder, name))));
    const journals = (await Promise.all(files.flat().map((file) => readFile(file, 'utf8')))).join('\n');
    expect(journals).toContain('"phase":"granted"');
    expect(watch.leaksIn('journal', journals)).toEqual([]);
  });

  it('in the command line of a process', async () => {
    const node = scene.nodes.at(-1)!;
    const children = await childrenOf(node.pid);
    expect(children).not.toEqual([]);
    for (const pid of [node.pid, ...children]) expect(watch.leaksIn('arguments', await argumentsOf(pid))).toEqual([]);
  });

  it('where the configuration is checked', async () => {
    const file = join(scene.stores.redis.dataFolder, 'checked.yml');
    await writeFile(file, JSON.stringify(scene.configOf(9)));
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['dist/main.js', 'check', file]);
    expect(stdout).toContain('"password": "[secret]"');
    expect(watch.leaksIn('check', stdout + stderr)).toEqual([]);
  });
});
