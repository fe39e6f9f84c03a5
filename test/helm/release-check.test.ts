import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { afterEach, describe, expect, test } from 'vitest';

import { chart } from './chart.ts';

const stops: (() => void)[] = [];
afterEach(() => { for (const stop of stops.splice(0)) stop(); });

async function answering(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  stops.push(() => { server.close(); server.closeAllConnections(); });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function says(status: number, text: string, path: string): RequestListener {
  return (request, response) => { response.writeHead(request.url === path ? status : 404).end(request.url === path ? text : 'not there'); };
}

/** What `helm test` runs, without its pauses. */
function check(admin: string, application: string, owner = ''): Promise<{ code: number; said: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, CHECK_PAUSE_MS: '10' };
    execFile(process.execPath, [join(chart, 'files/check-release.mjs'), admin, application, owner], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr });
    });
  });
}

const unknown = 'TPS0013:Token pool not initialized yet';

describe('helm test', () => {
  test('is content with a release that is ready and knows no such owner', async () => {
    const [admin, application] = [await answering(says(200, 'ready', '/ready')), await answering(says(400, unknown, '/tokenservice/helm-test'))];
    expect(await check(admin, application)).toEqual({ code: 0, said: 'The release is ready.\nThe release is answering callers.\n' });
  });

  test('is content with a token, and does not show it', async () => {
    const [admin, application] = [await answering(says(200, 'ready', '/ready')), await answering(says(200, 'hunter2-token', '/tokenservice/gateway%201'))];
    expect(await check(admin, application, 'gateway 1')).toEqual({ code: 0, said: 'The release is ready.\nThe release is handing out tokens.\n' });
  });

  test('waits for a release that is not ready yet', async () => {
    let asked = 0;
    const admin = await answering((_, response) => { response.writeHead((asked += 1) < 4 ? 503 : 200).end('not ready: the service is starting'); });
    expect(await check(admin, await answering(says(400, unknown, '/tokenservice/helm-test')))).toMatchObject({ code: 0 });
    expect(asked).toBe(4);
  });

  const FAILURES: [name: string, ready: RequestListener, token: RequestListener, owner: string, said: string][] = [
    ['a release that does not get ready', says(503, 'not ready: starting', '/ready'), says(200, 'a', '/tokenservice/a'), 'a', 'The release is not ready: /ready says 503: not ready: starting\n'],
    ['an owner without a token', says(200, 'ready', '/ready'), says(400, 'TPS0005:NO pool entry for this Owner', '/tokenservice/a'), 'a', 'not handing out tokens: /tokenservice says 400: TPS0005:NO pool entry for this Owner\n'],
    ['an owner that is named and not known', says(200, 'ready', '/ready'), says(400, unknown, '/tokenservice/a'), 'a', 'says 400: TPS0013'],
    ['another server behind the Service', says(200, 'ready', '/ready'), says(404, 'nginx', '/'), '', 'says 404: not the service\n'],
    ['an empty token', says(200, 'ready', '/ready'), says(200, '', '/tokenservice/a'), 'a', 'the answer is empty\n'],
  ];

  test.each(FAILURES)('fails for %s', async (_, ready, token, owner, said) => {
    expect(await check(await answering(ready), await answering(token), owner)).toMatchObject({ code: 1, said: expect.stringContaining(said) as string });
  });

  test('fails where nobody answers', async () => {
    const [gone] = [await answering(says(200, '', '/'))];
    stops.splice(0).forEach((stop) => { stop(); });
    expect(await check(gone, gone)).toMatchObject({ code: 1, said: expect.stringContaining('The release is not ready: no answer: ') as string });
  });
});
