import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openApiDocument } from '../../src/http/openapi.ts';
import { call, emptyPool, runApp } from './running-app.ts';
import type { RunningApp } from './running-app.ts';

let app: RunningApp;

beforeAll(async () => { app = await runApp(emptyPool()); });
afterAll(async () => { await app.listener.stop(); });

const browser = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

describe('for machines', () => {
  test.each([
    ['/swagger', { Accept: 'application/json' }],
    ['/swagger', {}],
    ['/swagger?path=tokenservice', {}],
    ['/swagger?path=tokenservice', browser],
    ['/swagger/openapi.json', {}],
  ])('%s with %o is the document', async (path, headers) => {
    const response = await call(app.port, 'GET', path, headers);
    expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(JSON.parse(response.body)).toEqual(openApiDocument('1.2.3'));
  });
});

describe('for people', () => {
  test.each(['/swagger', '/swagger/'])('%s is a page of which every part comes from the service itself', async (path) => {
    const page = await call(app.port, 'GET', path, browser);
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    const addresses = [...page.body.matchAll(/(?:src|href|data-url)="([^"]+)"/g)].map(([, address]) => new URL(address!, `${app.url}${path}`));
    expect(addresses).toHaveLength(5);
    for (const address of addresses) {
      expect(address.origin).toBe(app.url);
      expect((await fetch(address)).status).toBe(200);
    }
  });

  test('the page forbids everything from elsewhere and every script within it', async () => {
    const { headers, body } = await call(app.port, 'GET', '/swagger', browser);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self'; /);
    expect(body).not.toMatch(/<script(?! src=)|\son\w+=|style=/);
  });

  test('scripts and styles are labelled as such, which browsers insist on', async () => {
    const types = await Promise.all(['swagger-ui-bundle.js', 'start.js', 'swagger-ui.css'].map(async (file) => {
      const response = await fetch(`${app.url}/swagger/assets/${file}`);
      return response.headers.get('content-type');
    }));
    expect(types).toEqual(['text/javascript; charset=utf-8', 'text/javascript; charset=utf-8', 'text/css; charset=utf-8']);
  });

  test('no other file of the viewer is served', async () => {
    for (const file of ['package.json', 'swagger-initializer.js', '..%2fpackage.json', 'index.html']) {
      expect((await call(app.port, 'GET', `/swagger/assets/${file}`)).status).toBe(404);
    }
  });
});
