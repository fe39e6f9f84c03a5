import { describe, expect, test } from 'vitest';

import { breaches } from './architecture/rules.ts';
import { parseSource, readSources } from './architecture/source-file.ts';

test('src keeps the rules of the house', () => {
  expect(breaches(readSources())).toEqual([]);
});

describe('a breach is caught', () => {
  const CODE = [
    ['an adapter that imports another', 'redis/a.ts', `import { b } from '../mysql/b.ts'`, 'redis may not import mysql'],
    ['a type that crosses the same border', 'redis/a.ts', `import type { B } from '../mysql/b.ts'`, 'redis may not import mysql'],
    ['an inline type that does', 'redis/a.ts', `type B = import('../mysql/b.ts').B`, 'redis may not import mysql'],
    ['a file loaded at run time', 'redis/a.ts', `await import('../mysql/b.ts')`, 'redis may not import mysql'],
    ['a route that reaches a store', 'http/a.ts', `import { b } from '../mysql/b.ts'`, 'http may not import mysql'],
    ['a verb that knows its listener', 'pool/a.ts', `import { b } from '../http/b.ts'`, 'pool may not import http'],
    ['a file that imports the root', 'leader/a.ts', `import { b } from '../service.ts'`, 'leader may not import root'],
    ['wiring that imports the root', 'assembly/a.ts', `import type { B } from '../main.ts'`, 'assembly may not import root'],
    ['a verb that reaches for the wiring', 'pool/a.ts', `import { b } from '../assembly/b.ts'`, 'pool may not import assembly'],
    ['settings read below the root', 'pool/a.ts', `import { b } from '../config/b.ts'`, 'pool may not import config'],
    ['product code that leans on the tests', 'pool/a.ts', `import { b } from '../../test/b.ts'`, 'imports ../../test/b.ts, which is outside src/'],
    ['a domain that knows Node', 'domain/a.ts', `import { createHash } from 'node:crypto'`, 'domain may not import node:crypto'],
    ['a domain that knows a clock of ours', 'domain/a.ts', `import { b } from '../runtime/b.ts'`, 'domain may not import runtime'],
    ['a package away from home', 'queue/a.ts', `import type { Redis } from 'ioredis'`, 'ioredis belongs to redis alone'],
    ['a part of a package away from home', 'pool/a.ts', `import { createPool } from 'mysql2/promise'`, 'mysql2 belongs to mysql alone'],
    ['a package that is found instead of imported', 'runtime/a.ts', `require.resolve('swagger-ui-dist/index.css')`, 'swagger-ui-dist belongs to http alone'],
    ['a package nobody decided on', 'runtime/a.ts', `import _ from '@scope/lodash/fp'`, '@scope/lodash is not in the table of packages'],
    ['an environment variable read in passing', 'mail/a.ts', `const a = process.env['A']`, 'process.env belongs to config alone'],
    ['one taken apart', 'mail/a.ts', `const { env } = process`, 'process.env belongs to config alone'],
    ['an exit out of the depths', 'leader/a.ts', `process.exit(1)`, 'process.exit belongs to main.ts and courier.ts alone'],
    ['a signal handler beside the one', 'service.ts', `process.on('SIGTERM', () => {})`, 'process.on belongs to main.ts and courier.ts alone'],
    ['a local of that name that ends before', 'pool/a.ts', `{ const process = 1 }\nprocess.exit(1)`, 'process.exit belongs to main.ts and courier.ts alone'],
    ['process under another name', 'service.ts', `import process from 'node:process'`, 'imports process; the global one is what these rules can see'],
    ['a barrel', 'pool/a.ts', `export * from './b.ts'`, 'exports what ./b.ts has, import it from there'],
    ['a file named for nothing', 'pool/utils.ts', '', 'the name does not say what is in it'],
    ['a file named in another style', 'pool/acquireToken.ts', '', 'the name is not kebab-case'],
    ['a folder nobody decided on', 'services/a.ts', '', 'the folder is not in the table of folders'],
    ['a file too long', 'pool/a.ts', '\n'.repeat(251), '251 lines, at most 250'],
  ] as const;

  test.each(CODE)('%s', (_, path, text, breach) => {
    expect(breaches([parseSource(path, text)])).toContain(`${path}: ${breach}`);
  });

  const lines = (count: number): string => '\n'.repeat(count - 1);
  const SIZES = [
    ['a function too long', `function long() {${lines(81)}}`, 'pool/a.ts: long has 81 lines, at most 80'],
    ['a method too long', `class A { run() {${lines(81)}} }`, 'pool/a.ts: run has 81 lines, at most 80'],
    ['too many long functions', `function long() {${lines(40)}}\n${'function short() {}\n'.repeat(8)}`, 'src: over one in ten functions has 40 lines or more'],
    ['files that grow', lines(121) + 'x\n', 'src: half of the files have over 120 lines'],
  ] as const;

  test.each(SIZES)('%s', (_, text, breach) => {
    expect(breaches([parseSource('pool/a.ts', text)])).toContain(breach);
  });
});

describe('what is allowed is not complained about', () => {
  const CODE = [
    ['an adapter that uses the domain and the runtime', 'redis/a.ts', `import { b } from '../domain/b.ts'\nimport { c } from '../runtime/c.ts'`],
    ['a package at home', 'queue/a.ts', `import { Queue } from 'bullmq'`],
    ['the root that wires all', 'service.ts', `import { a } from './config/a.ts'\nimport { b } from './http/b.ts'\nimport { c } from './mysql/c.ts'`],
    ['a process that ends', 'main.ts', `process.once('SIGTERM', () => process.exit(0))`],
    ['a child process in a variable of that name', 'oauth/a.ts', `function f() { const process = fork('b'); process.kill() }\nfunction g(process: B) { process.on('exit', h) }`],
    ['the environment in the settings', 'config/a.ts', `const a = process.env`],
    ['one long function in ten', 'pool/a.ts', `function long() {${'\n'.repeat(39)}}\n${'function short() {}\n'.repeat(9)}`],
  ] as const;

  test.each(CODE)('%s', (_, path, text) => {
    expect(breaches([parseSource(path, text)])).toEqual([]);
  });

  test('a source tree without any file', () => {
    expect(breaches([])).toEqual([]);
  });
});
