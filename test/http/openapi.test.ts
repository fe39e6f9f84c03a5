import { readFileSync } from 'node:fs';

import type { Router } from 'express';
import { describe, expect, test } from 'vitest';

import { messages } from '../../src/domain/errors.ts';
import { openApiDocument } from '../../src/http/openapi.ts';
import { swaggerRoutes } from '../../src/http/swagger-routes.ts';
import { tokenRoutes } from '../../src/http/token-routes.ts';
import { emptyPool } from './running-app.ts';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean; readonly schema: object }[];
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content: Readonly<Record<string, { readonly schema: object; readonly examples?: Readonly<Record<string, { readonly value: string }>> }>> }>>;
}

interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, { readonly pattern?: string }>> };
}

const document = openApiDocument('1.2.3') as Document;

const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, operation, title: `${method} ${path}` })),
);

/** `method /path/{parameter}` of each route; the ids that a route leaves open are parameters of the document. */
function routesOf(router: Router): string[] {
  return router.stack.flatMap(({ route }) => {
    if (route === undefined) return [];
    const path = route.path.replaceAll(/[{}]/g, '').replaceAll(/:(\w+)/g, '{$1}');
    const { methods } = route as unknown as { methods: Record<string, boolean> };
    return Object.keys(methods).map((method) => `${method} ${path}`);
  });
}

describe('the definition and the routes', () => {
  test('hold the same operations', () => {
    const served = [...routesOf(tokenRoutes(emptyPool(), 1)), ...routesOf(swaggerRoutes('1.2.3'))];
    expect(operations.map(({ title }) => title).sort()).toEqual(served.sort());
  });
});

describe('the definition is OpenAPI 3.1', () => {
  test('with what the document itself must have', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d+$/);
    expect(document.info.title).not.toBe('');
    expect(document.info.version).toBe('1.2.3');
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  });

  test.each(operations)('with what an operation must have: $title', ({ path, operation }) => {
    const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
    expect(inPath.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
    expect(inPath.every(({ required }) => required === true)).toBe(true);
    expect(operation.tags.every((tag) => document.tags.some(({ name }) => name === tag))).toBe(true);
    expect(operation.summary).not.toBe('');
    for (const [status, response] of Object.entries(operation.responses)) {
      expect(status).toMatch(/^[1-5]\d\d$/);
      expect(response.description).not.toBe('');
      for (const [type, { schema }] of Object.entries(response.content)) {
        expect(type).toMatch(/^\w+\/\w+$/);
        expect(typeof schema).toBe('object');
      }
    }
  });

  test('with an operationId for each operation alone', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('with references that lead somewhere', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
    expect(references).not.toEqual([]);
    for (const name of references) expect(document.components.schemas).toHaveProperty(name!);
  });
});

describe('the codes', () => {
  const pattern = new RegExp(document.components.schemas['Failure']!.pattern!);

  test.each(operations.filter(({ path }) => path.startsWith('/tokenservice')))('that $title gives as examples are real, with their messages', ({ operation }) => {
    const examples = Object.entries(operation.responses['400']!.content['text/plain']!.examples!);
    expect(examples).not.toEqual([]);
    for (const [code, { value }] of examples) {
      expect(value).toBe(`${code}:${messages[code as keyof typeof messages]}`);
      expect(value).toMatch(pattern);
    }
  });

  test('are all listed', () => {
    for (const [code, message] of Object.entries(messages)) expect(JSON.stringify(document)).toContain(`| ${code} | ${message} |`);
  });
});

describe('docs/api.md', () => {
  const text = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');

  test('lists every code with its message, in the order of the contract', () => {
    const rows = [...text.matchAll(/^\| (TPS?\d{4}) \| ([^|]+) \| [^|]+ \|$/gm)].map(([, code, message]) => [code, message]);
    expect(rows).toEqual(Object.entries(messages));
  });
});
