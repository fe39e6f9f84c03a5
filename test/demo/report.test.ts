import { beforeEach, expect, test } from 'vitest';

import { count, Report, seconds } from './report.ts';

let written = '';
let now = 0;

beforeEach(() => {
  written = '';
  now = 1000;
});

function reportOn(screen: { isTTY?: boolean; columns?: number }, inPlace?: boolean): Report {
  return new Report({ ...screen, write: (text) => { written += text; } }, { now: () => now, ...(inPlace === undefined ? {} : { inPlace }) });
}

/** What stands on a terminal: a carriage return begins its line anew. */
function shown(): string[] {
  return written.split('\n').map((line) => line.split('\r').reduce((before, after) => after + before.slice(after.length)).trimEnd());
}

test('steps are numbered and facts have the time since the start', () => {
  const report = reportOn({});
  report.step('First');
  now += 12_340;
  report.say('A fact.');
  report.step('Second');
  expect(written).toBe('\n1  First\n  12.3 s  A fact.\n\n2  Second\n');
});

test('away from a terminal a wait is told once, and again every ten seconds', () => {
  const report = reportOn({});
  for (let at = 0; at < 25_000; at += 100) {
    now = 1000 + at;
    report.waiting('a refresh', `${at} so far`);
  }
  expect(shown()).toEqual(['   0.0 s  waiting for a refresh (0 so far)', '  10.0 s  waiting for a refresh (10000 so far)', '  20.0 s  waiting for a refresh (20000 so far)', '']);
});

test('each wait is told, however soon after another', () => {
  const report = reportOn({});
  report.waiting('one thing');
  report.waiting('another');
  report.say('Both are here.');
  report.waiting('another');
  expect(written.match(/waiting/g)).toHaveLength(3);
});

test('on a terminal a wait takes one line, which makes room for what is seen', () => {
  const report = reportOn({ isTTY: true, columns: 60 }, true);
  for (const soFar of ['1 read', '2 reads', '10 reads', 'none']) {
    now += 1000;
    report.waiting('a refresh', soFar);
  }
  expect(shown()).toEqual(['   4.0 s  waiting for a refresh (none)']);
  report.say('Seen.');
  expect(shown()).toEqual(['   4.0 s  Seen.', '']);
});

test('a line on a terminal never wraps, and is not redrawn more often than an eye follows', () => {
  const report = reportOn({ isTTY: true, columns: 30 }, true);
  for (let i = 0; i < 100; i++) {
    now += 10;
    report.waiting('something with a very long name');
  }
  expect(shown()[0]).toHaveLength(29);
  expect(written.match(/\r/g)?.length).toBeLessThanOrEqual(5);
});

test('a table is aligned', () => {
  reportOn({}).table([{ label: 'reads', value: '1,234' }, { label: 'failed reads', value: '0', note: 'none' }]);
  expect(written).toBe('   reads         1,234\n   failed reads      0  none\n');
});

test('numbers come with their nouns', () => {
  expect([count(1, 'row'), count(1234, 'row'), count(2, 'refresh', 'refreshes'), seconds(1949)]).toEqual(['1 row', '1,234 rows', '2 refreshes', '1.9 s']);
});
