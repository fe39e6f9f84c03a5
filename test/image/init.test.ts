import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';

import { childrenOf } from '../system/child-processes.ts';
import { canContain } from './container.ts';
import { repository } from './stage-folders.ts';

const init = join(repository, 'deploy/image/init.sh');
const folder = mkdtempSync(join(tmpdir(), 'tps-init-'));
const shells = [['sh'], ['dash'], ['bash', '--posix'], ['busybox', 'sh']].filter(([program]) => isThere(program!));

afterAll(() => rm(folder, { recursive: true, force: true }));

function isThere(program: string): boolean {
  try {
    execFileSync('/bin/sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Left out where the machine does not let us make name spaces of processes: that takes Linux and root. */
describe.skipIf(!canContain()).each(shells.map((shell) => ({ name: shell.join(' '), shell })))('The first process of a container, run by $name,', ({ shell }) => {
  const running: ChildProcess[] = [];
  afterEach(() => { for (const child of running.splice(0)) child.kill('SIGKILL'); });

  /** It with this command, as the first process of a name space. */
  function started(...command: string[]): ChildProcess {
    const child = spawn('unshare', ['--pid', '--fork', '--mount-proc', '--kill-child', ...shell, init, ...command], { stdio: ['pipe', 'pipe', 'pipe'] });
    running.push(child);
    return child;
  }

  async function statusOf(child: ChildProcess): Promise<number | null> {
    const [code] = await (once(child, 'close') as Promise<[number | null]>);
    return code;
  }

  test('ends with the status of the service, or of the signal that killed it', async () => {
    expect(await statusOf(started('sh', '-c', 'exit 7'))).toBe(7);
    expect(await statusOf(started('sh', '-c', 'kill -9 $$'))).toBe(137);
    expect(await statusOf(started('there-is-no-such-program'))).toBe(127);
    const child = started('true');
    const said = text(child.stderr!);
    expect([await statusOf(child), await said]).toEqual([0, '']);
  });

  test('hands SIGTERM and SIGINT on to the service, waits for its end, and is not ended by SIGHUP', async () => {
    const service = `
      for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => console.log(signal));
      process.on('SIGTERM', () => setTimeout(() => process.exit(3), 200));
      setInterval(() => undefined, 1000);
      console.log('up')`;
    const child = started(process.execPath, '-e', service);
    const [ended, output] = [statusOf(child), collected(child)];
    await vi.waitUntil(() => output().includes('up'), 10_000);
    const [first] = await childrenOf(child.pid!);
    for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
      process.kill(first!, signal);
      await vi.waitUntil(() => signal === 'SIGHUP' || output().includes(signal), 10_000);
    }
    expect(await ended).toBe(3);
    expect(output().trim().split('\n')).toEqual(['up', 'SIGINT', 'SIGTERM']);
  }, 30_000);

  test('gives the service its input', async () => {
    const child = started('cat');
    child.stdin!.end('what is said');
    expect(await text(child.stdout!)).toBe('what is said');
  });

  test('ends when the last process that the service left behind has, whose name may hold blanks and brackets, and not before', async () => {
    const file = join(folder, shell.join('-'));
    const orphan = `process.title = 'a ) S 1'; setTimeout(() => require('fs').writeFileSync('${file}', 'done'), 1500)`;
    const service = `require('child_process').spawn(process.execPath, ['-e', \`${orphan}\`], { detached: true, stdio: 'ignore' }); setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100)`;
    const child = started(process.execPath, '-e', service);
    const said = text(child.stderr!);
    expect(await statusOf(child)).toBe(137);
    expect(readFileSync(file, 'utf8')).toBe('done');
    const line = (await said).split('\n').find((one) => one.startsWith('{'));
    expect(JSON.parse(line!)).toMatchObject({ level: 'warn', logger: 'init', status: 137 });
  }, 30_000);

  test('says so where it is not the first, since no orphan comes to it then', async () => {
    const child = spawn(shell[0]!, [...shell.slice(1), init, 'true'], { stdio: ['ignore', 'ignore', 'pipe'] });
    running.push(child);
    const [said, ended] = [text(child.stderr), statusOf(child)];
    expect(await ended).toBe(0);
    expect(JSON.parse(await said)).toMatchObject({ level: 'warn', logger: 'init', msg: expect.stringContaining('not the first process') as string });
  });

  test('does not wait for what others started in the container', async () => {
    const child = started('sh', '-c', 'echo up; read -r line; exit 4');
    const [ended, output] = [statusOf(child), collected(child)];
    await vi.waitUntil(() => output().includes('up'), 10_000);
    const [first] = await childrenOf(child.pid!);
    const stranger = spawn('nsenter', ['--target', String(first), '--pid', '--mount', 'sh', '-c', 'echo in; exec sleep 60']);
    const strangerEnded = once(stranger, 'exit');
    await once(stranger.stdout, 'data');
    const begun = performance.now();
    child.stdin!.end('go on\n');
    expect(await ended).toBe(4);
    expect(performance.now() - begun).toBeLessThan(10_000);
    await strangerEnded;
  }, 30_000);
});

function collected(child: ChildProcess): () => string {
  let output = '';
  child.stdout!.setEncoding('utf8').on('data', (piece: string) => { output += piece; });
  return () => output;
}
