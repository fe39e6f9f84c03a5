import { readFile } from 'node:fs/promises';

import { describe, expect, test } from 'vitest';

import { CommitUnknown, messages, ServiceError, StoreUnavailable, type ErrorCode } from '../../src/domain/errors.ts';

/** As callers know them since the first version. */
const contract = {
  TP0001: 'Undefined Error',
  TP0002: 'Internal Server Error',
  TP0003: 'Input Parameter Error',
  TPS0005: 'NO pool entry for this Owner',
  TPS0006: 'No Valid token owner defined at the db',
  TPS0007: 'No Valid owner defined',
  TPS0008: 'No token reset time specified for the owner',
  TPS0009: 'Token already removed from the token pool',
  TPS0010: 'Invalid token',
  TPS0012: 'Only master node allowed to refresh the token',
  TPS0013: 'Token pool not initialized yet',
  TPS0014: 'Access Token is null',
  TPS0015: 'Refresh Token is null',
  TPS0016: 'No token pool implementation initialized',
  TPS0017: 'No token pool manager initialized',
  TPS0018: 'No valid token url defined at the db',
  TPS0019: 'Invalid Authentication Header at the db',
  TPS0020: 'Token Regeneration Failed',
  TPS0021: 'Invalid credentials passed for Token Regeneration',
  TPS0022: 'Scheduled time already expired',
  TPS0023: 'Token pool not initialized for this owner',
  TPS0024: 'Token not yet assigned',
  TPS0025: "Can't be connected to the server",
  TPS0026: 'Reached maximum retry attempts',
  TPS0027: 'Sender mail list not defined',
  TPS0028: 'Email sending failed',
  TPS0029: 'No valid token found',
  TPS0030: 'No valid response code',
  TPS0031: 'Unexpected error',
};

describe('the codes', () => {
  test('and their messages are those of the contract, none more and none fewer', () => {
    expect(messages).toEqual(contract);
  });

  test('are what an error shows', () => {
    for (const [code, message] of Object.entries(contract)) {
      const error = new ServiceError(code as ErrorCode);
      expect(error).toMatchObject({ code, message, name: 'ServiceError' });
      expect('cause' in error).toBe(false);
    }
  });

  test('that a caller can meet are all in the page of the API', async () => {
    const page = await readFile(new URL('../../docs/api.md', import.meta.url), 'utf8');
    expect(Object.keys(contract).filter((code) => !page.includes(code))).toEqual([]);
  });
});

describe('an outage', () => {
  test('names its store, keeps its cause, and is told apart from an unknown COMMIT, which is one too', () => {
    const cause = new Error('why');
    expect(new StoreUnavailable('redis', cause)).toMatchObject({ store: 'redis', message: 'redis is unavailable', cause });
    const unknown = new CommitUnknown(cause);
    expect(unknown).toBeInstanceOf(StoreUnavailable);
    expect(unknown).toMatchObject({ store: 'mysql', name: 'CommitUnknown', cause });
  });
});
