import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startNode } from './node-process.ts';
import type { NodeOptions, NodeProcess } from './node-process.ts';

/** Answers its readiness, says what it was given, and ends by SIGTERM with the code its configuration names. */
const standIn = `
const { createServer } = require('node:http');
const config = JSON.parse(require('node:fs').readFileSync(process.argv[3], 'utf8'));
console.log('verb ' + process.argv[2] + ' word ' + process.env.WORD + ' env ' + process.env.NODE_ENV);
console.error('to stderr');
if (config.fails) process.exit(3);
process.on('SIGTERM', () => { if (!config.stubborn) process.exit(config.exitCode); });
const listen = (server, { port }) => server.listen(port, '127.0.0.1');
if (config.courier) {
  const courier = require('node:child_process').spawn('/bin/sh', ['-c', 'kill -STOP $$; read -r never'], { stdio: ['pipe', 'ignore', 'ignore'] });
  console.log('courier ' + courier.pid);
}
listen(createServer((q, s) => s.end('app')), config.server.applicationConnectors[0]);
listen(createServer((q, s) => s.writeHead(q.url === '/ready' ? 200 : 404).end()), config.server.adminConnectors[0]);
`;

let folder: string;
let entry: string;
const started: NodeProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'node-process-test-'));
  entry = join(folder, 'stand-in.cjs');
  await writeFile(entry, standIn);
});

afterEach(async () => {
  for (const node of started.splice(0)) await node.kill();
});

afterAll(() => rm(folder, { recursive: true }));

async function start(options: NodeOptions = {}): Promise<NodeProcess> {
  const node = await startNode({ entry, ...options });
  started.push(node);
  return node;
}

test('a node runs with its configuration on free ports, in an environment of its own', async () => {
  const node = await start({ config: { exitCode: 0 }, env: { WORD: 'given' } });
  await node.waitReady();
  expect(await (await fetch(node.appUrl)).text()).toBe('app');
  expect(node.output()).toContain('verb server word given env undefined');
  expect(node.output()).toContain('to stderr');
  expect(node.isRunning).toBe(true);
});

test('stopping gives the exit code', async () => {
  const node = await start({ config: { exitCode: 7 } });
  await node.waitReady();
  node.pause();
  expect(await node.stop()).toBe(7);
  expect(await node.exited).toEqual({ code: 7, signal: null });
  expect(await node.stop()).toBe(7);
});

test('a node that does not stop in time is killed', async () => {
  const node = await start({ config: { stubborn: true } });
  await node.waitReady();
  expect(await node.stop(50)).toBeNull();
  expect(await node.exited).toEqual({ code: null, signal: 'SIGKILL' });
});

test('a node that ends by itself is reported with its last words', async () => {
  const node = await start({ config: { fails: true } });
  await expect(node.waitReady()).rejects.toThrow(/the node ended \(3\):[^]*to stderr/);
});

test('a paused node is silent until it is resumed', async () => {
  const node = await start();
  await node.waitReady();
  node.pause();
  await expect(fetch(node.appUrl, { signal: AbortSignal.timeout(100) })).rejects.toThrow();
  await expect(node.waitReady(1)).rejects.toThrow('the node is not ready after 1 ms');
  node.resume();
  await node.waitReady();
});

test('a node comes back on the same ports', async () => {
  const node = await start({ config: { exitCode: 0 } });
  await node.waitReady();
  await node.kill();
  const again = await node.again();
  started.push(again);
  await again.waitReady();
  expect([again.appUrl, again.adminUrl]).toEqual([node.appUrl, node.adminUrl]);
  expect(again.pid).not.toBe(node.pid);
});

test('a configuration file can be given', async () => {
  const first = await start();
  const configPath = join(folder, 'own.yml');
  const port = (url: string): number => Number(new URL(url).port);
  await first.kill();
  await writeFile(configPath, JSON.stringify({ server: { applicationConnectors: [{ type: 'http', port: port(first.appUrl) }], adminConnectors: [{ port: port(first.adminUrl) }] } }));
  const node = await start({ configPath });
  await node.waitReady();
  expect(node.appUrl).toBe(first.appUrl);
});

test.each(['node', 'courier that is paused'])('a %s does not outlive a test process that is killed', async (what) => {
  const script = `import { startNode } from ${JSON.stringify(join(import.meta.dirname, 'node-process.ts'))};
    const node = await startNode({ entry: ${JSON.stringify(entry)}, config: { courier: true } });
    await node.waitReady();
    console.log(${what === 'node'} ? node.pid : /courier (\\d+)/.exec(node.output())[1]);
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  expect(isAlive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await expect.poll(() => isAlive(pid), { timeout: 5000 }).toBe(false);
});

/** One that has ended and was not waited for by its parent is not. */
function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
