import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, gunzipSync, inflateRawSync } from 'node:zlib';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { LogArchive } from '../../src/runtime/log-archive.ts';
import { FileSink } from '../../src/runtime/log-file.ts';
import { createLogging } from '../../src/runtime/logger.ts';

const day = 86_400_000;
const noon = Date.UTC(2026, 0, 10, 12);

let folder: string;
let complaints: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-file-'));
  complaints = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function sink(pattern?: string, keep = 5, timeZone = 'UTC'): FileSink {
  const archive = pattern === undefined ? undefined : new LogArchive({ pattern: join(folder, pattern), timeZone, keep });
  return new FileSink({ file: join(folder, 'log/service.log'), archive, complain: (text) => complaints.push(text), retryAfter: 5 });
}

/** Name and content of an archive's only file, found by its central directory; its checksum is verified. */
function unzipped(zip: Buffer): [string, string] {
  const end = zip.subarray(-22);
  const entry = zip.subarray(end.readUInt32LE(16), end.readUInt32LE(16) + end.readUInt32LE(12));
  const name = entry.subarray(46, 46 + entry.readUInt16LE(28)).toString();
  const start = entry.readUInt32LE(42) + 30 + name.length;
  const content = inflateRawSync(zip.subarray(start, start + entry.readUInt32LE(20)));
  expect([crc32(content), content.length]).toEqual([entry.readUInt32LE(16), entry.readUInt32LE(24)]);
  return [name, content.toString()];
}

const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const logs = (): string[] => readdirSync(join(folder, 'log')).sort();

test('the log folder is made, and lines keep their order', async () => {
  const file = sink();
  const lines = Array.from({ length: 1_000 }, (_, index) => `line ${index}\n`);
  for (const line of lines) {
    file.write(line, noon);
    if (line.endsWith('00\n')) await Promise.resolve();
  }
  await file.close();
  expect(read('log/service.log')).toBe(lines.join(''));
  expect(complaints).toEqual([]);
});

test('an existing file is appended to', async () => {
  mkdirSync(join(folder, 'log'));
  writeFileSync(join(folder, 'log/service.log'), 'before\n');
  const file = sink();
  file.write('after\n', noon);
  await file.close();
  expect(read('log/service.log')).toBe('before\nafter\n');
});

test('the first record of a new day moves the file to its archive, and the oldest archives go', async () => {
  const file = sink('log/service-%d.log', 2);
  mkdirSync(join(folder, 'log'));
  writeFileSync(join(folder, 'log/service-notes.log'), 'not an archive');
  for (let index = 0; index < 5; index += 1) {
    file.write(`day ${index} morning\n`, noon + index * day);
    file.write(`day ${index} night\n`, noon + index * day + day / 2 - 1);
    await vi.waitFor(() => expect(read('log/service.log')).toBe(`day ${index} morning\nday ${index} night\n`));
  }
  await file.close();
  expect(logs()).toEqual(['service-2026-01-12.log', 'service-2026-01-13.log', 'service-notes.log', 'service.log']);
  expect(read('log/service-2026-01-13.log')).toBe('day 3 morning\nday 3 night\n');
  expect(complaints).toEqual([]);
});

test('records of several days that wait together are parted by day', async () => {
  const file = sink('log/service-%d.log');
  for (let index = 0; index < 3; index += 1) file.write(`day ${index}\n`, noon + index * day);
  await file.close();
  expect([read('log/service-2026-01-10.log'), read('log/service-2026-01-11.log'), read('log/service.log')]).toEqual(['day 0\n', 'day 1\n', 'day 2\n']);
});

test('a pattern ending in .gz compresses, also a .zip one', async () => {
  const gz = sink('log/service-%d.log.gz');
  gz.write('first\n', noon);
  gz.write('second\n', noon + day);
  await gz.close();
  expect(logs()).toEqual(['service-2026-01-10.log.gz', 'service.log']);
  expect(gunzipSync(readFileSync(join(folder, 'log/service-2026-01-10.log.gz'))).toString()).toBe('first\n');
  rmSync(join(folder, 'log'), { recursive: true });
  const zip = sink('log/service-%d.log.zip');
  zip.write('first\n'.repeat(1_000), noon);
  zip.write('second\n', noon + day);
  await zip.close();
  expect(unzipped(readFileSync(join(folder, 'log/service-2026-01-10.log.zip')))).toEqual(['service-2026-01-10.log', 'first\n'.repeat(1_000)]);
});

test('midnight is that of the zone', async () => {
  const file = sink('log/service-%d.log', 5, 'Asia/Colombo');
  file.write('before\n', Date.UTC(2026, 0, 10, 18, 29, 59));
  file.write('after\n', Date.UTC(2026, 0, 10, 18, 30));
  await file.close();
  expect(read('log/service-2026-01-10.log')).toBe('before\n');
  expect(read('log/service.log')).toBe('after\n');
});

test('a finer date rolls as often as it changes, and %i numbers within it', async () => {
  const file = sink('log/service-%d{yyyy-MM-dd-HH}.%i.log');
  mkdirSync(join(folder, 'log'));
  writeFileSync(join(folder, 'log/service-2026-01-10-12.0.log'), 'there already');
  for (let hour = 0; hour < 3; hour += 1) file.write(`hour ${hour}\n`, noon + hour * 3_600_000);
  await file.close();
  expect(logs()).toEqual(['service-2026-01-10-12.0.log', 'service-2026-01-10-12.1.log', 'service-2026-01-10-13.0.log', 'service.log']);
  expect(read('log/service-2026-01-10-12.1.log')).toBe('hour 0\n');
});

test('the file that a node left yesterday is archived under its own day by the first record of today', async () => {
  mkdirSync(join(folder, 'log'));
  writeFileSync(join(folder, 'log/service.log'), 'yesterday\n');
  utimesSync(join(folder, 'log/service.log'), noon / 1000, noon / 1000);
  const file = sink('log/service-%d.log.gz');
  file.write('today\n', noon + day);
  await file.close();
  const archived = join(folder, 'log/service-2026-01-10.log.gz');
  expect(gunzipSync(readFileSync(archived)).toString()).toBe('yesterday\n');
  expect(statSync(archived).mtimeMs).toBe(noon);
  expect(read('log/service.log')).toBe('today\n');
});

test('an archive is never overwritten', async () => {
  mkdirSync(join(folder, 'log'));
  writeFileSync(join(folder, 'log/service-2026-01-10.log.gz'), 'older');
  const file = sink('log/service-%d.log.gz');
  file.write('first\n', noon);
  file.write('second\n', noon + day);
  await file.close();
  expect(read('log/service-2026-01-10.log.gz')).toBe('older');
  expect(logs()).toContain('service-2026-01-10.log.1.gz');
});

test('a folder that cannot be made loses nothing once it can, and is told of once', async () => {
  writeFileSync(join(folder, 'log'), 'a file where the folder should be');
  const file = sink();
  file.write('one\n', noon);
  await vi.waitFor(() => expect(complaints).toHaveLength(1));
  file.write('two\n', noon);
  expect(complaints[0]).toMatch(/service\.log cannot be written \((ENOTDIR|EEXIST)\)/);
  rmSync(join(folder, 'log'));
  await vi.waitFor(() => expect(existsSync(join(folder, 'log/service.log')) && read('log/service.log')).toBe('one\ntwo\n'));
  await file.close();
  expect(complaints).toHaveLength(2);
  expect(complaints[1]).toContain('written again; 0 records were lost');
});

test('what waits during an outage is bounded, and what was lost is counted when it ends', async () => {
  writeFileSync(join(folder, 'log'), 'a file where the folder should be');
  const file = sink();
  for (let index = 0; index < 20; index += 1) file.write('x'.repeat(1024 * 1024), noon);
  await vi.waitFor(() => expect(complaints).toHaveLength(1));
  rmSync(join(folder, 'log'));
  await vi.waitFor(() => expect(complaints[1]).toMatch(/written again; 16 records were lost/));
  await file.close();
  expect(read('log/service.log')).toHaveLength(4 * 1024 * 1024);
});

test('records that cannot be written before the end are counted', async () => {
  writeFileSync(join(folder, 'log'), 'a file where the folder should be');
  const file = sink();
  for (let index = 0; index < 20; index += 1) file.write('x'.repeat(1024 * 1024), noon);
  await file.close();
  expect(complaints.at(-1)).toMatch(/lost 20 records/);
});

test('a full disk neither throws nor blocks, and is told of', async () => {
  const file = new FileSink({ file: '/dev/full', complain: (text) => complaints.push(text), retryAfter: 5 });
  file.write('one\n', noon);
  await vi.waitFor(() => expect(complaints[0]).toContain('ENOSPC'));
  await file.close();
  expect(complaints).toEqual(['The log file /dev/full cannot be written (ENOSPC).', 'The log file /dev/full lost 1 records.']);
});

test('a file that cannot be archived is written on', async () => {
  mkdirSync(join(folder, 'closed'));
  writeFileSync(join(folder, 'closed/in'), '');
  const file = sink('closed/in/service-%d.log');
  file.write('first\n', noon);
  file.write('second\n', noon + day);
  await file.close();
  expect(read('log/service.log')).toBe('first\nsecond\n');
  expect(complaints).toHaveLength(1);
});

test('the appenders of a configuration write the same record to console and rolled file', async () => {
  let now = noon;
  const shared = { threshold: 'ALL', timeZone: 'UTC' } as const;
  const logging = createLogging({
    level: 'INFO',
    loggers: {},
    appenders: [{
      ...shared, type: 'file', archive: true, archivedFileCount: 1, logFormat: '%level %msg%n',
      currentLogFilename: join(folder, 'log/service.log'), archivedLogFilenamePattern: join(folder, 'log/service-%d.log'),
    }],
  }, { now: () => now });
  const logger = logging.logger('http');
  logger.info({}, 'today');
  now += day;
  logger.warn({}, 'tomorrow');
  await logging.close();
  expect([read('log/service-2026-01-10.log'), read('log/service.log')]).toEqual(['INFO today\n', 'WARN tomorrow\n']);
});
