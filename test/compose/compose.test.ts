import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { haproxy, withoutHaproxy } from '../harness/haproxy.ts';
import { complaints, compose, defaults, deploy, environmentOf, mountsOf, nodes, service } from './compose-file.ts';
import { checkNode, journalFolder } from './node-environment.ts';
import type { CheckedNode } from './node-environment.ts';

const run = promisify(execFile);
const names = Object.keys(compose.services);
const root = join(deploy, '..');

let checked: readonly CheckedNode[];
let node: CheckedNode;

beforeAll(async () => {
  checked = await Promise.all(nodes.map((name) => checkNode(name)));
  node = checked[0]!;
});

describe('deploy/docker-compose.yml', () => {
  test('is a compose file by the schema of the specification, which says what is wrong with another', () => {
    expect(complaints(compose)).toEqual([]);
    expect(complaints({ services: { a: { image: 'a', grace: 1 } } })).toEqual([expect.stringContaining('additionalProperty":"grace"')]);
  });

  test('mounts only what is there', () => {
    const files = names.flatMap(mountsOf).filter(({ isVolume }) => !isVolume).map(({ source }) => source);
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
    expect(files.length).toBeGreaterThan(7);
    for (const { file } of Object.values(compose.secrets)) expect(existsSync(join(deploy, file))).toBe(true);
    const volumes = names.flatMap(mountsOf).filter(({ isVolume }) => isVolume).map(({ source }) => source);
    expect(Object.keys(compose.volumes).sort()).toEqual(volumes.sort());
  });

  test('opens ports on 127.0.0.1 alone, and none of a node or a store', () => {
    const open = names.flatMap((name) => (service(name).ports ?? []).map((port) => [name, port] as const));
    for (const [, port] of open) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    expect(new Set(open.map(([name]) => name))).toEqual(new Set(['balancer', 'prometheus', 'grafana']));
    expect(open).toContainEqual(['balancer', '127.0.0.1:8181:8181']);
  });

  test('names a version of each image, and builds the one of the nodes of this repository, once', () => {
    for (const name of names) expect(service(name).image).toMatch(/:v?\d+\.\d+[\w.-]*$|^token-pool-service:laptop$/);
    const built = names.filter((name) => service(name).build !== undefined);
    expect(built).toEqual(['node-1']);
    expect(join(deploy, service('node-1').build!.context)).toBe(root);
    for (const name of nodes) expect(service(name)).toMatchObject({ image: 'token-pool-service:laptop', read_only: true, init: false });
  });

  test('tells each node what it knows, and gives it a name and a journal of its own', async () => {
    expect(checked.map(({ cluster }) => cluster.nodeId)).toEqual(nodes);
    expect(new Set(nodes.flatMap((name) => mountsOf(name).filter(({ target }) => target === journalFolder).map(({ source }) => source))).size).toBe(3);
    await expect(checkNode('node-1', { TOKENPOOL_REDIS_ADDRESS: 'redis' })).rejects.toThrow('TOKENPOOL_REDIS_ADDRESS');
  });

  test('gives a node as long to stop as it may take', () => {
    const { http, refresh } = node;
    const longest = (http.shutdownDelay + http.shutdownGrace + refresh.connectTimeout + refresh.requestTimeout + 30_000) / 1000;
    for (const name of nodes) expect(Number(/^(\d+)s$/.exec(service(name).stop_grace_period ?? '')?.[1])).toBeGreaterThanOrEqual(longest);
  });

  test('has Prometheus look at each node, on its admin port', () => {
    const config = parse(readFileSync(join(deploy, 'prometheus/prometheus.yml'), 'utf8')) as { scrape_configs: { static_configs: { targets: string[] }[] }[]; rule_files: string[] };
    const targets = config.scrape_configs.flatMap(({ static_configs }) => static_configs.flatMap((each) => each.targets));
    for (const name of nodes) expect(targets).toContain(`${name}:${node.server.adminConnectors[0]!.port}`);
    for (const target of targets) expect(names).toContain(target.split(':')[0]);
    const mounted = mountsOf('prometheus').map(({ target }) => target);
    for (const file of config.rule_files) expect(mounted).toContain(join('/etc/prometheus', file));
  });

  test('can be told what example.env says, which has its defaults', () => {
    const lines = readFileSync(join(deploy, 'compose/example.env'), 'utf8').split('\n').filter((line) => /^\w/.test(line));
    expect(new Map(lines.map((line) => line.split('=') as [string, string]))).toEqual(defaults);
  });

  test.skipIf(haproxy === undefined)(`has a valid configuration for HAProxy, with the addresses of the nodes${withoutHaproxy}`, async () => {
    const [balancer] = mountsOf('balancer');
    const env = environmentOf('balancer');
    for (const [index, name] of nodes.entries()) expect(env[`NODE_${index + 1}`]).toBe(`${name}:${node.server.applicationConnectors[0]!.port}`);
    const { stderr, stdout } = await run(haproxy!, ['-c', '-f', balancer!.source], { env });
    expect(stdout + stderr).toContain('Configuration file is valid');
    await expect(run(haproxy!, ['-c', '-f', balancer!.source], { env: { ...env, BALANCER_LISTEN: 'nowhere' } })).rejects.toThrow("missing port specification in 'nowhere'");
  });
});
