import { expect, test } from 'vitest';

import type { EndedRead } from '../harness/readers.ts';
import { unknownToken } from '../harness/provider/judgement.ts';
import { writeToken } from '../harness/provider/token-text.ts';
import { ReadLog } from './read-log.ts';

const read: EndedRead = { owner: 'acme', sentAt: 1, endedAt: 5, servedBy: '127.0.0.1:8181', status: 200, why: undefined, token: undefined };

test('of a token its grant and its place in it are kept, and never the token', () => {
  const text = writeToken('at', { grantIndex: 3, sequence: 7 }, 64);
  const log = new ReadLog();
  log.note({ ...read, token: { text, judgement: { ...unknownToken, known: true, grantId: 'grant-3' } } });
  expect(log.answers).toEqual([{ owner: 'acme', sentAt: 1, endedAt: 5, servedBy: '127.0.0.1:8181', status: 200, why: undefined, grantId: 'grant-3', sequence: 7 }]);
  expect(JSON.stringify(log.answers)).not.toContain(text);
});

test('a read without an answer, and a token that nobody knows, have no grant', () => {
  const log = new ReadLog();
  log.note({ ...read, status: null, why: 'ECONNRESET', servedBy: undefined });
  log.note({ ...read, why: 'unknown', token: { text: 'made up', judgement: unknownToken } });
  expect(log.answers.map(({ why, grantId, sequence }) => ({ why, grantId, sequence }))).toEqual([
    { why: 'ECONNRESET', grantId: undefined, sequence: undefined },
    { why: 'unknown', grantId: undefined, sequence: undefined },
  ]);
});

test('an hour at a hundred reads a second takes less than 150 MB', () => {
  const log = new ReadLog();
  const before = process.memoryUsage().heapUsed;
  for (let index = 0; index < 360_000; index++) {
    const token = { text: `at_3_${index}_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`, judgement: { ...unknownToken, known: true, grantId: 'grant-3' } };
    log.note({ ...read, sentAt: 1.8e12 + index, endedAt: 1.8e12 + index, servedBy: ['127.0.0.1', 8181].join(':'), token });
  }
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(150e6);
  expect(log.answers).toHaveLength(360_000);
});
