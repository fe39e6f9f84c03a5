import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';

const HERE = fileURLToPath(new URL('./', import.meta.url));
const require = createRequire(import.meta.url);

let folder: string;
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'tps-launch-')); });
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the lock of the preparation', () => {
  const { whileHolding } = require('./lock.cjs') as { whileHolding: <T>(folder: string, work: () => T) => T };

  test('is given back when the work fails', () => {
    expect(() => whileHolding(folder, () => { throw new Error('no'); })).toThrow('no');
    expect(existsSync(join(folder, 'launch.lock'))).toBe(false);
  });

  test('is taken over from a process that is gone', async () => {
    const gone = spawnSync(process.execPath, ['-e', '']).pid;
    await writeFile(join(folder, 'launch.lock'), String(gone));
    expect(whileHolding(folder, () => 'done')).toBe('done');
  });

  test('is held by one process at a time', async () => {
    const script = `
      const fs = require('fs'); const mark = ${JSON.stringify(join(folder, 'mark'))}
      require(${JSON.stringify(join(HERE, 'lock.cjs'))}).whileHolding(${JSON.stringify(folder)}, () => {
        fs.writeFileSync(mark, '', { flag: 'wx' }); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50); fs.unlinkSync(mark)
      })`;
    const runs = [1, 2, 3].map(() => promisify(execFile)(process.execPath, ['-e', script]));
    await expect(Promise.all(runs)).resolves.toHaveLength(3);
  });
});

describe('a program that runs in our place', () => {
  const start = (program: string): ReturnType<typeof spawn> => {
    const script = `require(${JSON.stringify(join(HERE, 'processes.cjs'))}).run(process.execPath, ['-e', ${JSON.stringify(program)}], {}, (code) => process.exit(code))`;
    // The program ends with this pipe, which it inherits, whatever becomes of this test.
    const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'ignore'] });
    onTestFinished(() => { child.stdin.end(); });
    return child;
  };
  const codeOf = (child: ReturnType<typeof spawn>): Promise<number | null> => new Promise((resolve) => { child.once('exit', resolve); });

  test('hands its exit code on', async () => {
    expect(await codeOf(start('process.exit(7)'))).toBe(7);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('gets our %s and ends by itself', async (signal) => {
    const child = start(`process.on('${signal}', () => process.exit(9)); process.stdin.resume(); console.log('ready')`);
    child.stdout?.once('data', () => child.kill(signal));
    expect(await codeOf(child)).toBe(9);
  });
});
