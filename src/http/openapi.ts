import { messages } from '../domain/errors.ts';
import type { ErrorCode } from '../domain/errors.ts';
import { textOf } from './error-mapping.ts';
import { maxOwnerIdLength } from './owner-id.ts';

const ownerId = {
  name: 'ownerId',
  in: 'path',
  required: true,
  description: 'The owner whose token is wanted (`tsxwho.ownerid`), percent-encoded; compared trimmed and exactly.',
  schema: { type: 'string', minLength: 1, maxLength: maxOwnerIdLength },
  example: 'gateway-1',
};

const tokenId = {
  name: 'tokenId',
  in: 'path',
  required: true,
  description: 'The access token now in the pool, percent-encoded and compared trimmed, or the number of its row (`tokendid`).',
  schema: { type: 'string', minLength: 1 },
  example: '42',
};

const common: readonly ErrorCode[] = ['TP0001', 'TP0002', 'TP0003', 'TPS0007', 'TPS0013', 'TPS0016'];

function text(description: string, schema: object, examples: object): object {
  const content = { schema, examples };
  return { description, content: { 'text/plain': content, 'application/json': content } };
}

function token(description: string): object {
  return text(description, { type: 'string', minLength: 1 }, { token: { value: '2YotnFZFEjr1zCsicMWpAA' } });
}

/** The 400 of an operation with an example for each code that it can answer. */
function failures(codes: readonly ErrorCode[]): object {
  const examples = Object.fromEntries([...common, ...codes].sort().map((code) => [code, { value: textOf(code) }]));
  return { 400: text('The call failed; the body is `CODE:message`.', { $ref: '#/components/schemas/Failure' }, examples) };
}

const acquire = {
  operationId: 'acquireToken',
  summary: 'Get a valid access token of an owner',
  description:
    'Answers at once where the owner has a valid token. Where it has none the call waits, at most `waitingTimeForToken` x `retryAttempt` ms, and answers the moment one is there.',
  tags: ['tokenservice'],
  parameters: [ownerId],
  responses: { 200: token('The access token itself, nothing around it.'), ...failures(['TPS0005', 'TPS0008', 'TPS0014']) },
};

const restart = {
  operationId: 'restartPool',
  summary: 'Restart the pool of an owner',
  description: 'Reads the owner and its tokens from the database again, sets its retry counter to 0 and plans its refreshes anew. This ends a stop after too many failed attempts.',
  tags: ['tokenservice'],
  parameters: [ownerId],
  responses: {
    200: text('The pool was restarted.', { type: 'string' }, { done: { value: 'Token pool restartd for :gateway-1' } }),
    ...failures(['TPS0008', 'TPS0012', 'TPS0018', 'TPS0019', 'TPS0023', 'TPS0029']),
  },
};

const refresh = {
  operationId: 'refreshToken',
  summary: 'Replace a token now',
  description: 'Refreshes the token at its provider, whatever its age. Use it when the provider refuses a token before its time. Any node takes the call; the master does the work.',
  tags: ['tokenservice'],
  parameters: [ownerId, tokenId],
  responses: {
    200: token('The new access token.'),
    ...failures(['TPS0009', 'TPS0010', 'TPS0012', 'TPS0015', 'TPS0018', 'TPS0019', 'TPS0020', 'TPS0021', 'TPS0022', 'TPS0025', 'TPS0026', 'TPS0030', 'TPS0031']),
  },
};

const page = { 'text/html': { schema: { type: 'string' } }, 'application/json': { schema: { type: 'object' } } };

const definition = {
  operationId: 'readDefinition',
  summary: 'Read this definition',
  description: 'A page for browsers, which ask for `text/html`; this document for everybody else and wherever `path` is given.',
  tags: ['definition'],
  parameters: [{ name: 'path', in: 'query', description: 'The part of the API that is wanted.', schema: { type: 'string', enum: ['tokenservice'] } }],
  responses: { 200: { description: 'The definition of this API.', content: page } },
};

const definitionFile = {
  operationId: 'readDefinitionFile',
  summary: 'Read this definition as a file',
  tags: ['definition'],
  responses: { 200: { description: 'This document.', content: { 'application/json': { schema: { type: 'object' } } } } },
};

const codeTable = Object.entries(messages).map(([code, message]) => `| ${code} | ${message} |`).join('\n');

/** The definition of the application port's API, OpenAPI 3.1. */
export function openApiDocument(version: string): object {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Token Pool Service',
      version,
      description: `Keeps a pool of valid OAuth2 access tokens for every owner and hands one out at once.\n\n| code | message |\n|---|---|\n${codeTable}`,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [
      { name: 'tokenservice', description: 'Get, replace and restart tokens.' },
      { name: 'definition', description: 'What you are reading.' },
    ],
    paths: {
      '/tokenservice/{ownerId}': { get: acquire },
      '/tokenservice/restart/{ownerId}': { put: restart },
      '/tokenservice/refresh/{ownerId}/{tokenId}': { put: refresh },
      '/swagger': { get: definition },
      '/swagger/openapi.json': { get: definitionFile },
    },
    components: {
      schemas: { Failure: { type: 'string', description: 'A code, a colon and its message.', pattern: '^TPS?[0-9]{4}:.+' } },
    },
  };
}
