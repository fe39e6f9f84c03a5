import { expect, test } from 'vitest';

import { prefersJson, prefersPage } from '../../src/http/accept.ts';

test.each([
  [undefined, false],
  ['', false],
  ['*/*', false],
  ['text/plain', false],
  ['application/json', true],
  ['Application/JSON; charset=utf-8', true],
  ['application/json, text/plain, */*', true],
  ['text/plain, application/json', false],
  ['text/plain;q=0.5, application/json;q=0.9', true],
  ['text/plain, application/json;q=0.9', false],
  ['application/json;q=0', false],
  ['application/problem+json', false],
])('Accept %s labels the body as JSON: %s', (accept, json) => { expect(prefersJson(accept)).toBe(json); });

test.each([
  [undefined, false],
  ['*/*', false],
  ['application/json', false],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', true],
  ['text/html;q=0.2, application/json', false],
])('Accept %s is a browser: %s', (accept, page) => { expect(prefersPage(accept)).toBe(page); });
