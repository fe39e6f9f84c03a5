import { chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';

import { startStores, type ClusterStores } from '../harness/cluster.ts';
import { freePort } from '../harness/ports.ts';
import { createCertificateAuthority } from '../harness/provider/certificate.ts';
import { startProvider, type Provider } from '../harness/provider/provider.ts';
import type { OwnedGrant } from '../harness/system-of-record.ts';
import { childrenOf } from '../system/child-processes.ts';
import { canContain, Container } from './container.ts';
import { pairsOf, textOf, wordsOf, type Stage } from './dockerfile.ts';
import { buildInFolders, isInContext, readDockerfile, repository } from './stage-folders.ts';

const soon = { timeout: 30_000, interval: 50 };
const dockerfile = readDockerfile();
const final: Stage = dockerfile.stages.at(-1)!;
const packageJson = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string; description: string; license: string; engines: { node: string }; dependencies: object; devDependencies: object };
const folder = mkdtempSync(join(tmpdir(), 'tps-image-'));
let root: string;

// Two installations of packages, at worst over a slow network.
beforeAll(() => {
  // The user of the image must reach it; a temporary folder is its maker's alone.
  chmodSync(folder, 0o755);
  root = buildInFolders(dockerfile, folder);
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => relative(path, join(entry.parentPath, entry.name)));
}

describe('The Dockerfile', () => {
  test('builds on one base, which is an argument and by default the slim official image of Node 24', () => {
    expect(dockerfile.stages.map(({ base }) => base)).toEqual(dockerfile.stages.map(() => '${BASE}'));
    expect(dockerfile.arguments.get('BASE')).toMatch(/^node:24\b.*-slim$/);
    // Where the base has an older Node, npm ends the build.
    expect(packageJson.engines.node).toBe('>=24');
    for (const stage of dockerfile.stages.slice(0, -1)) expect(stage.instructions.find(({ name }) => name === 'RUN')?.text).toMatch(/^npm ci .*--engine-strict/);
  });

  test('runs nothing in its last stage, which has a user by number that is not root, a signal to stop and labels', () => {
    expect(final.instructions.filter(({ name }) => name === 'RUN')).toEqual([]);
    expect(textOf(final, 'USER')).toMatch(/^[1-9]\d{3,}:[1-9]\d{3,}$/);
    expect(textOf(final, 'STOPSIGNAL')).toBe('SIGTERM');
    const labels = pairsOf(final, 'LABEL');
    expect(labels).toMatchObject({ 'org.opencontainers.image.description': packageJson.description, 'org.opencontainers.image.licenses': packageJson.license });
    expect(Object.keys(labels).map((name) => name.split('.').at(-1))).toEqual(expect.arrayContaining(['title', 'version', 'revision', 'created', 'name']));
    expect(final.instructions).toContainEqual({ name: 'ARG', text: `VERSION=${packageJson.version}` });
  });

  test('is given nothing of the repository but what it copies', () => {
    for (const path of ['.git', 'node_modules', 'dist', 'test', 'docs', 'bench', '.runtime', 'deploy/config.yml', 'helm', '.ci', 'README.md']) expect(isInContext(path), path).toBe(false);
    for (const path of ['src', 'src/http/answer.ts', 'package-lock.json', 'deploy/image/init.sh']) expect(isInContext(path), path).toBe(true);
  });
});

describe('The last stage', () => {
  test('holds the service, its packages, the database scripts and the first process, and no more', () => {
    expect(readdirSync(join(root, 'app')).sort()).toEqual(['LICENSE', 'dbscripts', 'dist', 'healthcheck.mjs', 'init.sh', 'node_modules', 'package.json']);
    expect(filesBelow(join(root, 'app/dist')).filter((path) => !path.endsWith('.js'))).toEqual([]);
    expect(filesBelow(join(root, 'app/dist')).length).toBeGreaterThan(150);
    expect(filesBelow(join(root, 'var'))).toEqual([]);
  });

  test('holds every package that the service imports and none that only its development needs', () => {
    const has = (name: string): boolean => statSync(join(root, 'app/node_modules', name), { throwIfNoEntry: false })?.isDirectory() ?? false;
    // What bullmq asks for as well is no package of the development alone.
    expect(Object.keys(packageJson.devDependencies).filter((name) => name !== '@types/node' && has(name))).toEqual([]);
    expect(Object.keys(packageJson.dependencies).filter((name) => !has(name))).toEqual([]);
    expect(filesBelow(join(root, 'app')).filter((path) => /\.(map|d\.[cm]?ts)$/.test(path))).toEqual([]);
  });

  test('is small: less than 32 MB on top of its base', () => {
    const files = filesBelow(root);
    const bytes = files.reduce((sum, path) => sum + statSync(join(root, path)).size, 0);
    console.log(`The image adds ${(bytes / 1e6).toFixed(1)} MB in ${files.length} files to its base.`);
    expect(bytes).toBeLessThan(32e6);
  });

  test('belongs to root but for the journal, so that the service can change nothing of itself', () => {
    const [uid] = textOf(final, 'USER').split(':').map(Number);
    const journal = join(root, pairsOf(final, 'ENV')['TOKENPOOL_JOURNAL_FOLDER']!);
    expect(textOf(final, 'VOLUME')).toBe(pairsOf(final, 'ENV')['TOKENPOOL_JOURNAL_FOLDER']);
    expect(filesBelow(root).filter((path) => (statSync(join(root, path)).mode & 0o002) !== 0)).toEqual([]);
    if (process.getuid?.() === 0) expect([statSync(join(root, 'app')).uid, statSync(journal).uid]).toEqual([0, uid]);
  });
});

/** Left out where the machine does not let us make name spaces of processes and mounts: that takes Linux and root. */
describe.skipIf(!canContain())('A container of it, with a read-only file system, a user by number and a volume for the journal', () => {
  const volume = mkdtempSync(join(tmpdir(), 'tps-image-volume-'));
  const running: Container[] = [];
  let stores: ClusterStores;
  let provider: Provider;
  let adminPort: number;
  let appPort: number;
  let env: Record<string, string>;

  beforeAll(async () => {
    chownSync(volume, 10001, 10001);
    [stores, provider, adminPort, appPort] = await Promise.all([startStores(), startProvider(), freePort(), freePort()]);
    const { user, password } = stores.mariaDb;
    env = {
      ...pairsOf(final, 'ENV'),
      TOKENPOOL_DATABASE_URL: stores.mariaDb.jdbcUrl('token_service'), TOKENPOOL_DATABASE_USER: user, TOKENPOOL_DATABASE_PASSWORD: password,
      TOKENPOOL_REDIS_URL: stores.redis.url,
      TOKENPOOL_SERVER_ADMIN_CONNECTORS_0_PORT: String(adminPort), TOKENPOOL_SERVER_APPLICATION_CONNECTORS_0_PORT: String(appPort),
      TOKENPOOL_CLUSTER_NODE_ID: 'contained', TOKENPOOL_REFRESH_REQUEST_TIMEOUT: '20000',
    };
    await stores.addOwner({ ownerId: 'gw', grants: [provider.createGrant({ owner: 'gw' })] });
  }, 60_000);

  afterEach(async () => {
    provider.clear();
    provider.release();
    await Promise.all(running.splice(0).map((started) => started.kill()));
  });
  afterAll(async () => {
    await Promise.all([stores.remove(), provider.stop(), rm(volume, { recursive: true, force: true })]);
  });

  function container(more: { readonly command: readonly string[]; readonly env?: Record<string, string> }): Container {
    const made = new Container({ root, workFolder: textOf(final, 'WORKDIR'), user: textOf(final, 'USER'), volume: { folder: volume, path: textOf(final, 'VOLUME') }, ...more, env: { ...env, ...more.env } });
    running.push(made);
    return made;
  }

  async function start(entry = wordsOf(final, 'ENTRYPOINT')): Promise<Container> {
    const started = container({ command: [...entry, ...wordsOf(final, 'CMD')] });
    await vi.waitUntil(() => isReady(started), soon);
    return started;
  }

  async function isReady(started: Container): Promise<boolean> {
    if (!started.isRunning) throw new Error(`the container ended:\n${started.output()}`);
    return fetch(`http://127.0.0.1:${adminPort}/ready`).then((answer) => answer.ok, () => false);
  }

  const tokenFrom = async (ownerId: string): Promise<string> => (await fetch(`http://127.0.0.1:${appPort}/tokenservice/${ownerId}`)).text();

  const healthcheck = wordsOf(final, 'HEALTHCHECK');

  /** The service itself: the one child of the first process, or that process. */
  async function serviceOf(started: Container): Promise<number> {
    const first = await started.firstProcess();
    return readFileSync(`/proc/${first}/cmdline`, 'utf8').startsWith('/bin/sh') ? (await childrenOf(first))[0]! : first;
  }

  /** An owner whose refresh has reached a provider that keeps the answer back. */
  async function underWay(ownerId: string): Promise<OwnedGrant & { readonly grantId: string }> {
    const grant = provider.createGrant({ owner: ownerId });
    await stores.addOwner({ ownerId, grants: [grant] });
    await vi.waitUntil(async () => (await tokenFrom(ownerId)) === grant.accessToken, soon);
    provider.next({ kind: 'hang' }, { grantId: grant.grantId });
    void fetch(`http://127.0.0.1:${appPort}/tokenservice/refresh/${ownerId}/${grant.accessToken}`, { method: 'PUT' }).catch(() => undefined);
    await vi.waitUntil(() => provider.account.presentations.some(({ grantId }) => grantId === grant.grantId), soon);
    return grant;
  }

  test('serves tokens by processes without any right, complains of nothing, and ends in order at once when it is told to', async () => {
    const started = await start();
    expect(await tokenFrom('gw')).toMatch(/^[\w.-]{20,}$/);
    const service = await serviceOf(started);
    for (const pid of [await started.firstProcess(), service, ...(await childrenOf(service))]) {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      expect(status).toMatch(/^Uid:\t10001\t10001\t10001\t10001$/m);
      expect(status).toMatch(/^CapEff:\t0+$/m);
    }
    const lines = started.output().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as { level: string; logger: string });
    expect(lines.filter(({ level, logger }) => level === 'error' || logger === 'init')).toEqual([]);
    const begun = performance.now();
    expect(await started.stop()).toBe(0);
    expect(performance.now() - begun).toBeLessThan(10_000);
  }, 90_000);

  test('is found healthy by its healthcheck as long as the service answers on the admin port', async () => {
    const started = await start();
    expect(await started.run(healthcheck)).toEqual({ code: 0, said: '' });
    expect(await started.run(healthcheck, { TOKENPOOL_SERVER_ADMIN_CONNECTORS_0_PORT: String(await freePort()) })).toEqual({ code: 1, said: '' });
    process.kill(await serviceOf(started), 'SIGSTOP');
    expect(await started.run(healthcheck)).toEqual({ code: 1, said: '' });
  }, 90_000);

  test('is found healthy where the admin port speaks https, by whatever name', async () => {
    const { certPem, keyPem } = createCertificateAuthority('Test CA').issue(['admin.example']);
    writeFileSync(join(root, 'app/tls.crt'), certPem);
    writeFileSync(join(root, 'app/tls.key'), keyPem);
    const connector = { TYPE: 'https', CERTIFICATE_FILE: '/app/tls.crt', KEY_FILE: '/app/tls.key' };
    const started = container({
      command: [...wordsOf(final, 'ENTRYPOINT'), ...wordsOf(final, 'CMD')],
      env: Object.fromEntries(Object.entries(connector).map(([name, value]) => [`TOKENPOOL_SERVER_ADMIN_CONNECTORS_0_${name}`, value])),
    });
    await vi.waitUntil(async () => (await started.run(healthcheck)).code === 0, soon);
  }, 90_000);

  test('has nowhere to write but the journal', async () => {
    const script = 'for place in / /app /tmp /etc /usr /var /var/lib/token-pool-service /dev; do touch "$place/x" 2>/dev/null && echo "$place"; done; touch "$TOKENPOOL_JOURNAL_FOLDER/x" && echo journal; rm "$TOKENPOOL_JOURNAL_FOLDER/x"';
    const started = container({ command: ['/bin/sh', '-c', script] });
    await started.exited;
    expect(started.output()).toBe('journal\n');
  });

  test('of which the service is killed while a provider is slow does not end before its courier has kept the answer in the journal', async () => {
    const started = await start();
    const grant = await underWay('slow');
    process.kill(await serviceOf(started), 'SIGKILL');
    await vi.waitUntil(() => started.output().includes('its courier is waited for'), soon);
    await expect.poll(() => started.isRunning, { timeout: 2000 }).toBe(true);
    expect(await started.run(healthcheck)).toEqual({ code: 1, said: '' });
    provider.release();
    expect(await started.exited).toBe(137);
    expect(readdirSync(volume)).not.toEqual([]);
    // Nothing but the volume can bring it back now.
    await stores.redis.restart({ empty: true });
    await start();
    await vi.waitUntil(async () => (await tokenFrom('slow')) === provider.newest(grant.grantId)!.accessToken, soon);
    expect(provider.account).toMatchObject({ presentedTwice: 0, grantsRevoked: 0 });
  }, 120_000);

  test('in which the service were the first process would end with it, and lose the answer', async () => {
    const started = await start(wordsOf(final, 'ENTRYPOINT').slice(2));
    await underWay('lost');
    const begun = performance.now();
    process.kill(await serviceOf(started), 'SIGKILL');
    await started.exited;
    expect(performance.now() - begun).toBeLessThan(5000);
    provider.release();
    const [row] = await stores.query<{ state: string }>("SELECT t.state FROM tsttoken t JOIN tsxwho o USING (tsxwhodid) WHERE o.ownerid = 'lost'");
    expect(row?.state).toBe('sending');
  }, 120_000);
});
