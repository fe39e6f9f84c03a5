import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { startStores } from '../harness/cluster.ts';
import type { ClusterStores } from '../harness/cluster.ts';
import { freePort } from '../harness/ports.ts';
import { helm, objectOf, renderAnew, root, withoutHelm } from './chart.ts';
import type { Rendered } from './chart.ts';
import { environmentOf, layOut } from './pod-files.ts';
import { nodePod } from './pods.ts';
import type { Container, PodSpec, Probe } from './pods.ts';

const soon = { timeout: 60_000, interval: 50 };

/** One node of a rendered release, as a process: its environment and its files are those of the pod, its stores real. */
describe.skipIf(helm === undefined)(`a node that runs as its pod is rendered${withoutHelm}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tps-release-'));
  let stores: ClusterStores;
  let objects: readonly Rendered[];
  let container: Container;
  let node: ChildProcess;
  let output = '';
  let adminPort: number;

  beforeAll(async () => {
    const [started, ...ports] = await Promise.all([startStores(), freePort(), freePort()]);
    stores = started;
    adminPort = ports[1];
    const grant = { tokenAuth: btoa('client:sample'), accessToken: 'sample-access-token', refreshToken: 'sample-refresh-token', expiresInMs: 3_600_000, tokenUrl: 'http://127.0.0.1:1/token' };
    await stores.addOwner({ ownerId: 'gateway 1', grants: [grant] });
    objects = await renderAnew('default-minimal', ...Object.entries(valuesFor(ports)).flatMap(([name, value]) => ['--set', `${name}=${value}`]));
    const { spec } = nodePod(objects);
    [container] = spec.containers as [Container];
    layOut(objects, spec, folder);
    mkdirSync(join(folder, 'var/lib/token-pool-service/journal'), { recursive: true });
    node = spawn(process.execPath, [join(root, 'dist/main.js'), 'server'], { env: { PATH: process.env['PATH'] ?? '', ...environmentOf(container, folder) }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [node.stdout, node.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => { output += text; });
  }, 120_000);

  afterAll(async () => {
    if (node.exitCode === null) {
      node.kill('SIGKILL');
      await once(node, 'exit');
    }
    await Promise.all([stores.remove(), rm(folder, { recursive: true, force: true })]);
  });

  function valuesFor([application, admin]: readonly number[]): Record<string, string | number> {
    const { host, port, user, password } = stores.mariaDb;
    return {
      'externalMysql.host': host, 'externalMysql.port': port, 'externalMysql.username': user, 'externalMysql.password': password, 'externalRedis.url': stores.redis.url,
      'containerPorts.application': application!, 'containerPorts.admin': admin!, 'service.application.port': application!, 'service.admin.port': admin!,
    };
  }

  async function passes(probe: Probe | undefined): Promise<boolean> {
    if (node.exitCode !== null) throw new Error(`the node ended:\n${output}`);
    const { port, path } = probe!.httpGet!;
    expect(container.ports?.find(({ name }) => name === port)?.containerPort).toBe(adminPort);
    return fetch(`http://127.0.0.1:${adminPort}${path}`).then(({ ok }) => ok, () => false);
  }

  /** What the pod of `helm test` runs; the names of Services lead to the node. */
  function helmTest(...last: readonly string[]): Promise<{ code: number; said: string }> {
    const [program = '', script, ...args] = (objectOf(objects, 'Pod', '-test').spec as PodSpec).containers[0]!.command!;
    expect([program, script]).toEqual(['node', '/check/check-release.mjs']);
    const given = [...args.slice(0, 2).map((url) => url.replace(/\/\/[^:]+/, '//127.0.0.1')), ...(last.length === 0 ? args.slice(2) : last)];
    return new Promise((resolve) => {
      execFile(process.execPath, [join(root, 'helm/token-pool-service/files/check-release.mjs'), ...given], (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr });
      });
    });
  }

  test('starts, and passes its probes', async () => {
    await vi.waitUntil(() => passes(container.startupProbe), soon);
    await vi.waitUntil(() => passes(container.readinessProbe), soon);
    expect(await passes(container.livenessProbe)).toBe(true);
  }, 90_000);

  test('satisfies helm test, with an owner and without', async () => {
    expect(await helmTest()).toEqual({ code: 0, said: 'The release is ready.\nThe release is answering callers.\n' });
    expect(await helmTest('gateway 1')).toEqual({ code: 0, said: 'The release is ready.\nThe release is handing out tokens.\n' });
  }, 60_000);

  test('passes its probes, and hands out tokens, while both stores are away', async () => {
    await Promise.all([stores.mariaDb.kill(), stores.redis.kill()]);
    await vi.waitUntil(async () => (await fetch(`http://127.0.0.1:${adminPort}/healthcheck`)).status === 500, soon);
    expect([await passes(container.livenessProbe), await passes(container.readinessProbe)]).toEqual([true, true]);
    expect(await helmTest('gateway 1')).toMatchObject({ code: 0 });
    await Promise.all([stores.mariaDb.restart(), stores.redis.restart()]);
    await vi.waitUntil(async () => (await fetch(`http://127.0.0.1:${adminPort}/healthcheck`)).status === 200, soon);
  }, 120_000);

  test('is alive and not ready while it stops, and has ended in order within its time', async () => {
    const begun = performance.now();
    node.kill('SIGTERM');
    await vi.waitUntil(async () => !(await passes(container.readinessProbe)), soon);
    expect(await passes(container.livenessProbe)).toBe(true);
    const [code] = node.exitCode === null ? await once(node, 'exit') as [number | null] : [node.exitCode];
    expect([code, performance.now() - begun < nodePod(objects).spec.terminationGracePeriodSeconds! * 1_000]).toEqual([0, true]);
  }, 90_000);
});
