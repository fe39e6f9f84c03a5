import { expect, it } from 'vitest';

import type { ReadAnswer } from './evidence.ts';
import { readFigures } from './served.ts';

function read(sentAt: number, tookMs: number, why?: string): ReadAnswer {
  return { owner: 'acme', sentAt, endedAt: sentAt + tookMs, servedBy: undefined, status: why === undefined ? 200 : null, why, grantId: undefined, sequence: undefined };
}

it('the slowest read is one that was answered well while a node was up; the slowest of all is any', () => {
  const answers = [read(0, 5), read(10, 20), read(100, 900), read(200, 15_000, 'ETIMEDOUT')];
  expect(readFigures({ answers, nobodyUp: [{ from: 500, until: 600 }] })).toEqual({ reads: 4, failed: 1, slowestMs: 20, p99Ms: 20, slowestOfAllMs: 15_000 });
  expect(readFigures({ answers: answers.slice(0, 3), nobodyUp: [] })).toMatchObject({ failed: 0, slowestMs: 900, slowestOfAllMs: 900 });
});

it('without any read there is none that was slow', () => {
  expect(readFigures({ answers: [], nobodyUp: [] })).toEqual({ reads: 0, failed: 0, slowestMs: 0, p99Ms: 0, slowestOfAllMs: 0 });
});
