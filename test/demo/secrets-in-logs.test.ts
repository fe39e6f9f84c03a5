import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { secretsIn } from './secrets-in-logs.ts';

test('a secret counts once, in whatever file it stands', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'demo-logs-test-'));
  const files = [join(folder, 'one.log'), join(folder, 'two.log')];
  await Promise.all(files.map((file) => writeFile(file, 'a line\n{"message":"the token is s3cret-1"}\n')));
  expect(await secretsIn(files, ['s3cret-1', 's3cret-2'])).toBe(1);
  await rm(folder, { recursive: true });
});
