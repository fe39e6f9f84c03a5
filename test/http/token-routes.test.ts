import { afterEach, describe, expect, test, vi } from 'vitest';

import { ServiceError, StoreUnavailable } from '../../src/domain/errors.ts';
import type { PoolVerbs } from '../../src/http/pool-verbs.ts';
import { call, emptyPool, runApp } from './running-app.ts';
import type { RunningApp } from './running-app.ts';

let app: RunningApp;

async function start(verbs: Partial<PoolVerbs>, options = {}): Promise<RunningApp> {
  app = await runApp(emptyPool(verbs), options);
  return app;
}

afterEach(async () => { await app.listener.stop(); });

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => { reject(new Error('aborted')); });
  });
}

describe('a success', () => {
  test('GET answers with the token and nothing around it', async () => {
    const { url } = await start({ acquire: async (owner) => `token-of-${owner}` });
    const response = await fetch(`${url}/tokenservice/gw1`);
    expect([response.status, await response.text()]).toEqual([200, 'token-of-gw1']);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('x-powered-by')).toBeNull();
  });

  test('restart answers in the words, and the spelling, of the contract', async () => {
    const restart = vi.fn(async () => undefined);
    const { url } = await start({ restart });
    const response = await fetch(`${url}/tokenservice/restart/gw1`, { method: 'PUT' });
    expect([response.status, await response.text()]).toEqual([200, 'Token pool restartd for :gw1']);
    expect(restart).toHaveBeenCalledWith('gw1', expect.any(AbortSignal));
  });

  test('refresh answers with the new access token', async () => {
    const { url } = await start({ refresh: async (owner, token) => `new-after-${owner}-${token}` });
    const response = await fetch(`${url}/tokenservice/refresh/gw1/old`, { method: 'PUT', body: 'ignored' });
    expect([response.status, await response.text()]).toEqual([200, 'new-after-gw1-old']);
  });

  test('a token beyond ASCII arrives whole', async () => {
    const { url } = await start({ acquire: async () => 'tökén-✓' });
    expect(await (await fetch(`${url}/tokenservice/gw1`)).text()).toBe('tökén-✓');
  });

  test('HEAD answers like GET without the body', async () => {
    const { port } = await start({ acquire: async () => 'abcde' });
    const { status, headers, body } = await call(port, 'HEAD', '/tokenservice/gw1');
    expect([status, headers['content-length'], body]).toEqual([200, '5', '']);
  });

  test('a caller that asks for JSON gets the same body under that label, success or failure', async () => {
    const { url } = await start({ acquire: async (owner) => (owner === 'gw1' ? 'raw' : Promise.reject(new ServiceError('TPS0013'))) });
    const headers = { Accept: 'application/json' };
    const [good, bad] = await Promise.all([fetch(`${url}/tokenservice/gw1`, { headers }), fetch(`${url}/tokenservice/gw2`, { headers })]);
    expect([good.headers.get('content-type'), await good.text()]).toEqual(['application/json', 'raw']);
    expect([bad.headers.get('content-type'), await bad.text()]).toEqual(['application/json', 'TPS0013:Token pool not initialized yet']);
  });
});

describe('an id', () => {
  const ids = ['a/b', 'with space', 'ümläut', '%', 'a%2Fb', 'a?b#c', '..', 'refresh', 'restart', 'swagger', 'a+b=;,:@&$'];

  test.each(ids)('%s arrives as it is, in every place', async (id) => {
    const seen: string[] = [];
    const { port } = await start({
      acquire: async (owner) => { seen.push(owner); return 't'; },
      restart: async (owner) => { seen.push(owner); },
      refresh: async (owner, token) => { seen.push(owner, token); return 't'; },
    });
    const encoded = encodeURIComponent(id);
    await call(port, 'GET', `/tokenservice/${encoded}`);
    await call(port, 'PUT', `/tokenservice/restart/${encoded}`);
    await call(port, 'PUT', `/tokenservice/refresh/${encoded}/${encoded}`);
    expect(seen).toEqual([id, id, id, id]);
  });

  test('is trimmed', async () => {
    const { port } = await start({ refresh: async (owner, token) => JSON.stringify([owner, token]) });
    expect((await call(port, 'PUT', '/tokenservice/refresh/%20gw1%20/%20tok%0A')).body).toBe('["gw1","tok"]');
  });

  test.each([
    ['GET', '/tokenservice', 'TPS0007:No Valid owner defined'],
    ['GET', '/tokenservice/', 'TPS0007:No Valid owner defined'],
    ['GET', '/tokenservice/%20%20', 'TPS0007:No Valid owner defined'],
    ['PUT', '/tokenservice/restart/', 'TPS0007:No Valid owner defined'],
    ['PUT', '/tokenservice/restart/%20', 'TPS0007:No Valid owner defined'],
    ['PUT', '/tokenservice/refresh', 'TPS0007:No Valid owner defined'],
    ['PUT', '/tokenservice/refresh/gw1', 'TP0003:Input Parameter Error'],
    ['PUT', '/tokenservice/refresh/gw1/%20', 'TP0003:Input Parameter Error'],
    ['GET', '/tokenservice/%zz', 'TP0003:Input Parameter Error'],
    ['GET', '/tokenservice/%C3', 'TP0003:Input Parameter Error'],
    ['PUT', '/tokenservice/restart/%', 'TP0003:Input Parameter Error'],
    ['PUT', '/tokenservice/refresh/gw1/%E0%A4', 'TP0003:Input Parameter Error'],
    ['GET', `/tokenservice/${'x'.repeat(201)}`, 'TP0003:Input Parameter Error'],
  ])('%s %s is refused before the pool is asked', async (method, path, body) => {
    const asked = vi.fn(async () => 't');
    const { port } = await start({ acquire: asked, refresh: asked, restart: async () => { await asked(); } });
    expect(await call(port, method, path)).toMatchObject({ status: 400, body });
    expect(asked).not.toHaveBeenCalled();
  });

  test('of 200 characters is one, though it takes 400 units to write', async () => {
    const { port } = await start({ acquire: async (owner) => String(owner.length) });
    expect((await call(port, 'GET', `/tokenservice/${encodeURIComponent('𝒳'.repeat(200))}`)).body).toBe('400');
  });
});

describe('a failure', () => {
  test('of the service is its code and message, and is observed by route', async () => {
    const { url, failures } = await start({ refresh: () => Promise.reject(new ServiceError('TPS0010')) });
    const response = await fetch(`${url}/tokenservice/refresh/gw1/x`, { method: 'PUT' });
    expect([response.status, await response.text()]).toEqual([400, 'TPS0010:Invalid token']);
    expect(failures).toEqual(['/tokenservice/refresh/:ownerId/:tokenId TPS0010']);
  });

  test('of a store is TP0002', async () => {
    const { url, log } = await start({ acquire: () => Promise.reject(new StoreUnavailable('mysql', new Error('connect'))) });
    const response = await fetch(`${url}/tokenservice/gw1`);
    expect([response.status, await response.text()]).toEqual([400, 'TP0002:Internal Server Error']);
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('that nobody foresaw is TP0001 and an error in the log, without the token of the URL', async () => {
    const { port, log } = await start({ refresh: (_owner, token) => Promise.reject(new TypeError(`cannot read ${token}`)) });
    const { status, body } = await call(port, 'PUT', '/tokenservice/refresh/gw1/s3cr3t%2Fvalue');
    expect([status, body]).toEqual([400, 'TP0001:Undefined Error']);
    expect(log.lines.find(({ level }) => level === 'error')?.fields).toMatchObject({ err: { name: 'TypeError', message: 'cannot read [token]' } });
    expect(log.text).not.toContain('s3cr3t');
  });
});

describe('a call that no route takes', () => {
  test.each([
    ['POST', '/tokenservice/gw1', 'GET, HEAD'],
    ['PUT', '/tokenservice/gw1', 'GET, HEAD'],
    ['GET', '/tokenservice/restart/gw1', 'PUT'],
    ['DELETE', '/tokenservice/refresh/gw1/t', 'PUT'],
    ['POST', '/swagger', 'GET, HEAD'],
  ])('%s %s is told the method', async (method, path, allow) => {
    const { port } = await start({});
    const { status, headers, body } = await call(port, method, path);
    expect([status, headers['allow'], body]).toEqual([405, allow, `TP0003:Input Parameter Error (this path takes ${allow})`]);
  });

  test.each(['/', '/token', '/TokenService/gw1', '/tokenservice/a/b', '/tokenservice/refresh/a/b/c', '/swagger/assets/../package.json'])('%s is told what exists', async (path) => {
    const { port } = await start({});
    const { status, body } = await call(port, 'GET', path);
    expect(status).toBe(404);
    expect(body).toMatch(/^TP0003:Input Parameter Error.*GET \/tokenservice\/\{ownerId\}/s);
  });

  test('an unknown path does not come back in the answer', async () => {
    const { port } = await start({});
    expect((await call(port, 'PUT', '/tokenservice/refresh/gw1/sec/ret')).body).not.toContain('sec');
  });
});

describe('a wait', () => {
  test('ends when the caller goes away', async () => {
    const aborted = Promise.withResolvers<undefined>();
    const begun = Promise.withResolvers<undefined>();
    const { url, log } = await start({
      acquire: async (_owner, signal) => {
        signal.addEventListener('abort', () => { aborted.resolve(undefined); });
        begun.resolve(undefined);
        return untilAborted(signal);
      },
    });
    const caller = new AbortController();
    const response = fetch(`${url}/tokenservice/gw1`, { signal: caller.signal });
    await begun.promise;
    caller.abort();
    await expect(response).rejects.toThrow();
    await aborted.promise;
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('is refused beyond the number of waits that the node carries, and free again afterwards', async () => {
    const gate = Promise.withResolvers<string>();
    const acquire = vi.fn(() => gate.promise);
    const { url } = await start({ acquire }, { maxWaiting: 1 });
    const first = fetch(`${url}/tokenservice/gw1`);
    await vi.waitFor(() => { expect(acquire).toHaveBeenCalledTimes(1); });
    expect(await (await fetch(`${url}/tokenservice/gw2`)).text()).toBe('TPS0005:NO pool entry for this Owner');
    gate.resolve('late');
    expect(await (await first).text()).toBe('late');
    expect(await (await fetch(`${url}/tokenservice/gw2`)).text()).toBe('late');
  });
});

describe('the log', () => {
  test('has one debug line a call with the template of its route and never the URL', async () => {
    const { port, log } = await start({ refresh: async () => 'fresh-value' });
    await call(port, 'PUT', '/tokenservice/refresh/gw1/stale-value?x=stale-value');
    await vi.waitFor(() => { expect(log.lines).toHaveLength(1); });
    expect(log.lines[0]).toMatchObject({ level: 'debug', fields: { method: 'PUT', route: '/tokenservice/refresh/:ownerId/:tokenId', owner: 'gw1', status: 200 } });
    expect(log.text).not.toMatch(/stale-value|fresh-value/);
  });

  test('tells the code of a failure', async () => {
    const { port, log } = await start({});
    await call(port, 'GET', '/tokenservice/gw1');
    await vi.waitFor(() => { expect(log.lines).toHaveLength(1); });
    expect(log.lines[0]?.fields).toMatchObject({ status: 400, code: 'TPS0013' });
  });

  test('does not repeat what a caller put in the place of an owner nobody knows', async () => {
    const { port, log } = await start({});
    await call(port, 'GET', '/tokenservice/misplaced-value');
    await vi.waitFor(() => { expect(log.lines).toHaveLength(1); });
    expect(log.lines[0]?.fields).toMatchObject({ owner: expect.stringMatching(/^unknown [0-9a-f]{8}$/) as string });
    expect(log.text).not.toContain('misplaced-value');
  });

  test('holds nothing of a token that cannot be decoded', async () => {
    const { port, log } = await start({});
    await call(port, 'PUT', '/tokenservice/refresh/gw1/sensitive%zz');
    await vi.waitFor(() => { expect(log.lines).toHaveLength(1); });
    expect(log.text).not.toContain('sensitive');
  });
});
