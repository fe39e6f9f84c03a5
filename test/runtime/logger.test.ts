import { PassThrough } from 'node:stream';

import { beforeEach, expect, test } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { createLogging } from '../../src/runtime/logger.ts';
import type { Logging } from '../../src/runtime/logger.ts';
import type { AppenderOptions, LoggingOptions } from '../../src/runtime/log-options.ts';

const time = Date.UTC(2026, 0, 31, 22, 5, 6, 7);
const consoleAppender: AppenderOptions = { type: 'console', target: 'stdout', threshold: 'ALL', timeZone: 'UTC' };

let out: PassThrough;
let err: PassThrough;

beforeEach(() => {
  out = new PassThrough();
  err = new PassThrough();
});

function open(options: Partial<LoggingOptions>): Logging {
  const all = { level: 'INFO', loggers: {}, appenders: [consoleAppender], ...options } as const;
  return createLogging(all, { now: () => time, console: { stdout: out, stderr: err } });
}

function textIn(stream: PassThrough): string {
  return String((stream.read() as Buffer | null) ?? '');
}

async function written(logging: Logging): Promise<string[]> {
  await logging.close();
  return textIn(out).split('\n').filter(Boolean);
}

test('a record is one line of JSON with level, time, logger, fields and message', async () => {
  const logging = open({});
  logging.logger('pool.refresh').info({ owner: 'airtel', took: 12 }, 'Token refreshed');
  const [line] = await written(logging);
  expect(line).toBe('{"level":"INFO","time":"2026-01-31T22:05:06.007Z","logger":"pool.refresh","owner":"airtel","took":12,"msg":"Token refreshed"}');
});

test('times are written in the zone of the appender', async () => {
  const logging = open({ appenders: [{ ...consoleAppender, timeZone: 'Asia/Colombo' }] });
  logging.logger('http').info({}, 'hello');
  const [line = '{}'] = await written(logging);
  expect(JSON.parse(line)).toMatchObject({ time: '2026-02-01T03:35:06.007+05:30' });
});

test('every record carries the base fields', async () => {
  const logging = createLogging(
    { level: 'INFO', loggers: {}, appenders: [consoleAppender] },
    { base: { node: 'a-12' }, console: { stdout: out, stderr: err } },
  );
  logging.logger('http').info({}, 'hello');
  const [line = '{}'] = await written(logging);
  expect(JSON.parse(line)).toMatchObject({ node: 'a-12', logger: 'http' });
});

test('a field cannot replace what the record says of itself', async () => {
  const logging = open({});
  logging.logger('http').info({ level: 'x', time: 1, logger: 'y', msg: 'z' }, 'hello');
  const [line = ''] = await written(logging);
  expect(line).toMatch(/^\{"level":"INFO","time":"2026-01-31T22:05:06.007Z","logger":"http","level_":"x","time_":1,"logger_":"y","msg_":"z","msg":"hello"\}$/);
});

test('the longest matching logger name decides the level', async () => {
  const logging = open({ level: 'WARN', loggers: { pool: 'INFO', 'pool.refresh': 'DEBUG', poolish: 'OFF' } });
  for (const name of ['http', 'pool', 'pool.refresh', 'pool.refresh.claim', 'pool.restart', 'poolish', 'pooling']) {
    for (const level of ['debug', 'info', 'warn'] as const) logging.logger(name)[level]({}, `${name} ${level}`);
  }
  const messages = (await written(logging)).map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(messages).toEqual([
    'http warn',
    'pool info', 'pool warn',
    'pool.refresh debug', 'pool.refresh info', 'pool.refresh warn',
    'pool.refresh.claim debug', 'pool.refresh.claim info', 'pool.refresh.claim warn',
    'pool.restart info', 'pool.restart warn',
    'pooling warn',
  ]);
});

test('the Java names of an old file set the level of the whole service and of its listeners', async () => {
  const logging = open({ level: 'ERROR', loggers: { 'io.dropwizard': 'INFO', 'com.wso2telco': 'DEBUG' } });
  for (const name of ['http', 'pool.refresh', 'leader.elector']) logging.logger(name).debug({}, `${name} debug`);
  logging.logger('http.routes').info({}, 'http info');
  const messages = (await written(logging)).map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(messages).toEqual(['pool.refresh debug', 'leader.elector debug', 'http info']);
});

test('ALL lets everything through and OFF nothing', async () => {
  const logging = open({ level: 'ALL', loggers: { mail: 'OFF' } });
  logging.logger('mail').error({}, 'silent');
  logging.logger('http').trace({}, 'seen');
  expect(await written(logging)).toHaveLength(1);
});

test('an appender leaves out what is below its threshold, and writes to its own target', async () => {
  const logging = open({ level: 'ALL', appenders: [consoleAppender, { ...consoleAppender, target: 'stderr', threshold: 'WARN' }] });
  const logger = logging.logger('http');
  logger.info({}, 'one');
  logger.error({}, 'two');
  expect(await written(logging)).toHaveLength(2);
  expect(textIn(err)).toMatch(/^\{"level":"ERROR".*"msg":"two"\}\n$/);
});

test('a secret reaches no line, as a value, a field or a part of a text', async () => {
  const logging = open({});
  const error = new Error('POST failed: Authorization: Bearer s3cr3t-one', { cause: new Error('refresh_token=s3cr3t-two&grant_type=x') });
  logging.logger('pool').error({ err: error, held: new Secret('s3cr3t-three'), deep: [{ Access_Token: 's3cr3t-four' }] }, 'seen {"access_token":"s3cr3t-five"}');
  const [line = ''] = await written(logging);
  expect(line).not.toContain('s3cr3t');
  expect(JSON.parse(line)).toMatchObject({ held: '[secret]', deep: [{ Access_Token: '[redacted]' }], err: { cause: { type: 'Error' } } });
});

test('records are laid out by a logback pattern', async () => {
  const logging = open({ appenders: [{ ...consoleAppender, logFormat: '%-5level [%date{HH:mm:ss.SSS}] %logger{12} - %msg%n' }] });
  logging.logger('pool.refresh').info({ owner: 'a b' }, 'done');
  expect(await written(logging)).toEqual(['INFO  [22:05:06.007] pool.refresh - done owner="a b"']);
});

test('logging goes on without a throw when fields cannot be read', async () => {
  const logging = open({});
  const hostile = new Proxy({}, { ownKeys: () => { throw new Error('no'); } });
  logging.logger('http').info(hostile, 'still here');
  logging.logger('http').info({ get broken(): string { throw new Error('no'); } }, 'and here');
  const lines = await written(logging);
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([{ msg: 'still here', fieldsLost: true }, { msg: 'and here', broken: '[unreadable]' }]);
});

test('closing twice is harmless, and what comes after is dropped in silence', async () => {
  const logging = open({});
  await Promise.all([logging.close(), logging.close()]);
  logging.logger('http').info({}, 'late');
  expect(textIn(out)).toBe('');
});
