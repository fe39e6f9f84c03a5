import { afterEach, describe, expect, test } from 'vitest';

import { adminApp } from '../../src/http/admin-routes.ts';
import type { AdminOptions } from '../../src/http/admin-routes.ts';
import { runChecks } from '../../src/http/health-checks.ts';
import { Listener } from '../../src/http/listener.ts';
import { Metrics } from '../../src/runtime/metrics.ts';
import { call, KeptLog } from './running-app.ts';
import type { Answer } from './running-app.ts';

const running: Listener[] = [];

afterEach(async () => { await Promise.all(running.splice(0).map((listener) => listener.stop())); });

async function get(path: string, options: Partial<AdminOptions> = {}, method = 'GET'): Promise<Answer> {
  const log = new KeptLog();
  const metrics = new Metrics({ version: '1.2.3', runtime: false });
  const app = adminApp({
    checks: {}, isReady: () => ({ ready: true }), cluster: () => ({}), log,
    metrics: { contentType: metrics.contentType, expose: () => metrics.expose() },
    ...options,
  });
  const listener = new Listener({ name: 'admin', connector: { type: 'http', port: 0, bindHost: '127.0.0.1' }, app, graceMs: 1000, log });
  running.push(listener);
  await listener.start();
  return call(listener.address().port, method, path);
}

test('ping answers pong', async () => {
  expect(await get('/ping')).toMatchObject({ status: 200, body: 'pong' });
});

test('live answers 200', async () => {
  expect((await get('/live', { isReady: () => ({ ready: false }) })).status).toBe(200);
});

test('the index names every path', async () => {
  const { status, body } = await get('/');
  expect(status).toBe(200);
  for (const path of ['/ping', '/live', '/ready', '/healthcheck', '/metrics', '/cluster']) expect(body).toContain(`GET ${path} `);
});

describe('ready', () => {
  test('answers 200 while load may be sent here', async () => {
    expect(await get('/ready')).toMatchObject({ status: 200, body: 'ready' });
  });

  test('answers 503 with the reason while it may not', async () => {
    expect(await get('/ready', { isReady: () => ({ ready: false, reason: 'the pool is loading' }) })).toMatchObject({ status: 503, body: 'not ready: the pool is loading' });
  });
});

describe('healthcheck', () => {
  test('answers 200 with an entry for each dependency', async () => {
    const { status, headers, body } = await get('/healthcheck', { checks: { mysql: async () => ({ healthy: true }), redis: async () => ({ healthy: true, message: 'fine' }) } });
    expect([status, headers['content-type']]).toEqual([200, 'application/json']);
    expect(JSON.parse(body)).toEqual({ mysql: { healthy: true }, redis: { healthy: true, message: 'fine' } });
  });

  test('answers 500 where one is not healthy, and one that throws is not', async () => {
    const { status, body } = await get('/healthcheck', { checks: { mysql: () => Promise.reject(new Error('mysql is unavailable')), redis: async () => ({ healthy: true }) } });
    expect(status).toBe(500);
    expect(JSON.parse(body)).toEqual({ mysql: { healthy: false, message: 'mysql is unavailable' }, redis: { healthy: true } });
  });

  test('does not wait for ever for one that hangs, and tells it to stop', async () => {
    let signal: AbortSignal | undefined;
    const results = await runChecks({ redis: (given) => { signal = given; return new Promise(() => undefined); } }, 10);
    expect(results).toEqual({ redis: { healthy: false, message: 'no answer within 10 ms' } });
    expect(signal?.aborted).toBe(true);
  });
});

test('metrics are in the format that Prometheus reads', async () => {
  const { status, headers, body } = await get('/metrics');
  expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
  expect(body).toContain('tokenpool_build_info{version="1.2.3"');
});

test('the state of the cluster is JSON', async () => {
  expect(JSON.parse((await get('/cluster', { cluster: async () => ({ role: 'master' }) })).body)).toEqual({ role: 'master' });
});

test('an unknown path is told what exists, a wrong method which is right', async () => {
  const { status, body } = await get('/nothing');
  expect([status, body]).toEqual([404, expect.stringContaining('GET /healthcheck')]);
  expect(await get('/ping', {}, 'POST')).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
});
