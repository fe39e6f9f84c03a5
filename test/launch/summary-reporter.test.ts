import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const REPORTER = join(ROOT, 'test/launch/summary-reporter.ts');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tps-reporter-'));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The last line of a whole run over one test file. */
async function closingLine(tests: string): Promise<string | undefined> {
  await writeFile(join(folder, 'a.test.js'), `import { beforeAll, describe, test } from 'vitest'\n${tests}`);
  const args = [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder, '--reporter', 'default', '--reporter', REPORTER];
  const env = { ...process.env };
  delete env['TEST_SUMMARY_FILE'];
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { cwd: folder, env }, (_, stdout) => { resolve(stdout); });
  });
  return output.trimEnd().split('\n').at(-1);
}

const RUNS = [
  ['counts what passed, failed and was skipped', `test('a', () => {}); test('b', () => { throw new Error('no') }); test.skip('c', () => {}); test.todo('d')`, '1 passed, 1 failed, 2 skipped'],
  ['counts a file that cannot be loaded as a failure', `import './missing.js'; test('a', () => {})`, '0 passed, 1 failed, 0 skipped'],
  ['counts a failing hook beside the failing tests', `describe('a', () => { beforeAll(() => { throw new Error('no') }); test('b', () => {}) }); test('c', () => { throw new Error('no') })`, '0 passed, 2 failed, 1 skipped'],
  ['counts an error that belongs to no test as a failure', `test('a', async () => { void Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 20)) })`, '1 passed, 1 failed, 0 skipped'],
] as const;

test.each(RUNS)('the closing line %s', async (_, tests, line) => {
  expect(await closingLine(tests)).toBe(line);
});
