import { afterEach, describe, expect, test, vi } from 'vitest';

import { ownerIdOf } from '../../src/http/fast-path.ts';
import { call, emptyPool, runApp, sendRaw } from './running-app.ts';
import type { RunningApp } from './running-app.ts';

let app: RunningApp | undefined;

afterEach(async () => { await app?.listener.stop(); });

describe('the owner of a URL', () => {
  test.each([
    ['/tokenservice/gw1', 'gw1'],
    ['/tokenservice/gw1?x=/y', 'gw1'],
    ['/tokenservice/a%2Fb', 'a/b'],
    ['/tokenservice/%20gw1%20', 'gw1'],
    ['/tokenservice/refresh', 'refresh'],
  ])('%s is %s', (url, owner) => { expect(ownerIdOf(url)).toBe(owner); });

  test.each(['/', '/swagger', '/tokenservice', '/tokenservice/', '/tokenservice/?a', '/tokenservice/a/b', '/tokenservice/gw1/', '/tokenservice/%20', '/tokenservice/%zz', '/TOKENSERVICE/a'])(
    '%s is left to the routes',
    (url) => { expect(ownerIdOf(url)).toBeUndefined(); },
  );
});

describe('a token that is in memory', () => {
  test('is answered without the routes', async () => {
    const acquire = vi.fn(async () => 'slow');
    app = await runApp(emptyPool({ peek: (owner) => `quick-${owner}`, acquire }));
    expect(await (await fetch(`${app.url}/tokenservice/gw1`)).text()).toBe('quick-gw1');
    expect(acquire).not.toHaveBeenCalled();
  });

  test.each([{}, { Accept: 'application/json' }, { Accept: 'text/plain, application/json;q=0.5' }, { Accept: '*/*' }])('is answered as the routes would, for %o', async (headers) => {
    app = await runApp(emptyPool({ peek: (owner) => (owner === 'quick' ? 'tökén' : undefined), acquire: async () => 'tökén' }));
    const [quick, slow] = await Promise.all([call(app.port, 'GET', '/tokenservice/quick', headers), call(app.port, 'GET', '/tokenservice/slow', headers)]);
    const dateless = ({ date: _date, ...rest }: typeof quick.headers): object => rest;
    expect({ ...quick, headers: dateless(quick.headers) }).toEqual({ ...slow, headers: dateless(slow.headers) });
  });

  test('is answered to many callers at once, each with its own', async () => {
    app = await runApp(emptyPool({ peek: (owner) => `token-${owner}` }));
    const { url } = app;
    const owners = Array.from({ length: 200 }, (_, index) => `gw${index}`);
    const bodies = await Promise.all(owners.map(async (owner) => (await fetch(`${url}/tokenservice/${owner}`)).text()));
    expect(bodies).toEqual(owners.map((owner) => `token-${owner}`));
  });

  test('is answered in the order of requests that come on one connection without waiting', async () => {
    const peek = (owner: string): string | undefined => (owner === 'slow' ? undefined : owner);
    app = await runApp(emptyPool({ peek, acquire: async () => 'from-the-pool' }));
    const line = (owner: string, rest = ''): string => `GET /tokenservice/${owner} HTTP/1.1\r\nHost: a\r\n${rest}\r\n`;
    const text = await sendRaw(app.port, line('one') + line('slow') + line('two', 'Connection: close\r\n'));
    expect(text.match(/\r\n\r\n(one|two|from-the-pool)/g)).toEqual(['\r\n\r\none', '\r\n\r\nfrom-the-pool', '\r\n\r\ntwo']);
  });

  test('is not handed out to other methods', async () => {
    app = await runApp(emptyPool({ peek: () => 'quick' }));
    expect((await call(app.port, 'DELETE', '/tokenservice/gw1')).status).toBe(405);
  });

  test('is a debug line without the token', async () => {
    app = await runApp(emptyPool({ peek: () => 'quick-value' }));
    await call(app.port, 'GET', '/tokenservice/gw1');
    expect(app.log.lines).toEqual([{ level: 'debug', message: 'request', fields: { method: 'GET', route: '/tokenservice/:ownerId', status: 200, from: 'memory' } }]);
  });
});
