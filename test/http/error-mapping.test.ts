import { describe, expect, test } from 'vitest';

import { CommitUnknown, messages, ServiceError, StoreUnavailable } from '../../src/domain/errors.ts';
import type { ErrorCode } from '../../src/domain/errors.ts';
import { failureOf } from '../../src/http/error-mapping.ts';

describe('a failure', () => {
  test.each(Object.entries(messages))('%s is 400 with its message', (code, message) => {
    expect(failureOf(new ServiceError(code as ErrorCode))).toEqual({ status: 400, code, body: `${code}:${message}`, unexpected: false });
  });

  test('of a store is TP0002, whatever is known of its outcome', () => {
    for (const error of [new StoreUnavailable('redis'), new CommitUnknown()]) expect(failureOf(error).body).toBe('TP0002:Internal Server Error');
  });

  test.each([new Error('x'), undefined, 'text', Object.assign(new Error('x'), { status: 500 }), new DOMException('x', 'AbortError')])('that is not foreseen is TP0001: %s', (error) => {
    expect(failureOf(error)).toMatchObject({ status: 400, code: 'TP0001', unexpected: true });
  });

  test('that Express blames on the caller keeps its status', () => {
    expect(failureOf(Object.assign(new Error('x'), { status: 403 }))).toMatchObject({ status: 403, code: 'TP0003', unexpected: false });
  });
});
