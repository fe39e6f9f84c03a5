import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

import { afterEach, expect, test } from 'vitest';

const logger = join(import.meta.dirname, '../../src/runtime/logger.ts');

let child: ChildProcessByStdio<null, Readable, Readable>;

afterEach(() => {
  child.kill('SIGKILL');
});

/** A process that logs `count` lines, with a pause after each burst, and then says on its standard error how long its event loop stood still at most. */
function loggingProcess(count: number, burst = 100): typeof child {
  const script = `
    import { createLogging } from ${JSON.stringify(logger)};
    const logging = createLogging({ level: 'INFO', loggers: {}, appenders: [{ type: 'console', target: 'stdout', threshold: 'ALL', timeZone: 'UTC' }] });
    let longest = 0;
    let last = performance.now();
    setInterval(() => { longest = Math.max(longest, performance.now() - last); last = performance.now(); }, 5).unref();
    for (let done = 0; done < ${count}; done += ${burst}) {
      for (let index = 0; index < ${burst}; index += 1) logging.logger('http').info({ padding: 'x'.repeat(500) }, 'line ' + (done + index));
      if (${burst < count}) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    process.stderr.write('stood still ' + Math.round(longest) + '\\n');
    await logging.close();
    process.exit(0);
  `;
  return spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('everything that waits for a slow reader is written, in order, before close resolves', async () => {
  child = loggingProcess(5_000, 5_000);
  await once(child.stderr, 'data');
  const out = await textOf(child.stdout);
  const messages = out.trimEnd().split('\n').map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(messages).toEqual(Array.from({ length: 5_000 }, (_, index) => `line ${index}`));
});

test('a reader that is gone does not end the process', async () => {
  child = loggingProcess(5_000);
  child.stdout.destroy();
  const errors = textOf(child.stderr);
  const [code] = (await once(child, 'exit')) as [number];
  expect([code, await errors]).toEqual([0, expect.stringMatching(/^The log cannot be written to the console \(EPIPE\): records are lost\.\nstood still \d+\n$/)]);
});

test('a reader that stalls neither blocks the process nor its close; records are lost, and it says so', async () => {
  child = loggingProcess(20_000);
  const [errors, [code]] = (await Promise.all([textOf(child.stderr), once(child, 'exit')])) as [string, [number]];
  expect(code).toBe(0);
  expect(errors).toContain('The log on the console is not read fast enough: records are lost.');
  expect(Number(/stood still (\d+)/.exec(errors)?.[1])).toBeLessThan(1_000);
});
