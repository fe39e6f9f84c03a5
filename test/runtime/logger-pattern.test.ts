import { expect, test } from 'vitest';

import { isoTime, javaDate, knownTimeZone } from '../../src/runtime/log-date.ts';
import { patternLayout } from '../../src/runtime/log-layout.ts';

const time = Date.UTC(2026, 2, 9, 17, 4, 5, 6);

function lay(pattern: string, record: object = {}, timeZone = 'UTC'): string {
  return patternLayout(pattern, timeZone)(JSON.stringify({ level: 'INFO', time, logger: 'pool.refresh.claim', msg: 'Done', ...record }));
}

test.each([
  ['%level|%le|%p', 'INFO|INFO|INFO'],
  ['%-7level|', 'INFO   |'],
  ['%7p|', '   INFO|'],
  ['%.2level', 'FO'],
  ['%.-2level', 'IN'],
  ['%-6.-3level|', 'INF   |'],
  ['%logger %lo %c', 'pool.refresh.claim pool.refresh.claim pool.refresh.claim'],
  ['%logger{0}', 'claim'],
  ['%logger{15}', 'p.refresh.claim'],
  ['%c{5}', 'p.r.claim'],
  ['%message %msg %m', 'Done Done Done'],
  ['[%thread] [%t]', '[main] [main]'],
  ['[%X{request}%mdc{a:-b}%marker]', '[]'],
  ['100%% \\%', '100% %'],
  ['%d', '2026-03-09 17:04:05,006'],
  ['%date{ISO8601}', '2026-03-09 17:04:05,006'],
  ['%d{HH:mm:ss,SSS}', '17:04:05,006'],
  ['%d{"yyyy-MM-dd\'T\'HH:mm:ss.SSSXXX", Asia/Colombo}', '2026-03-09T22:34:05.006+05:30'],
  ['%d{dd MMM yyyy hh:mm a, GMT-3}', '09 Mar 2026 02:04 PM'],
  ['%d{EEE, d MMM yy}', 'Mon, 9 Mar 26'],
  ['%highlight(%-5level) %cyan(x) (y)', 'INFO  x (y)'],
  ['%unknown %m', '%unknown Done'],
  ['%-6level [%d{HH:mm:ss.SSS}] [%t{5}] %logger{5} - %X{code} %msg %n', 'INFO   [17:04:05.006] [main] p.r.claim -  Done '],
])('the pattern %s renders as %s', (pattern, expected) => {
  expect(lay(pattern)).toBe(`${expected}\n`);
});

test('the zone of the appender holds where the pattern names none', () => {
  expect(lay('%d{yyyy-MM-dd HH:mm z Z}', {}, 'Asia/Colombo')).toBe('2026-03-09 22:34 Asia/Colombo +0530\n');
});

test('every record is one line, though its message has line breaks', () => {
  expect(lay('%msg', { msg: 'one\nERROR forged\r\u2028', owner: 'a\nb' })).toBe('one\\u000aERROR forged\\u000d\\u2028 owner="a\\nb"\n');
});

test('fields follow the message, or stand where %kvp asks for them', () => {
  const fields = { owner: 'airtel', took: 3, list: [1, 'x'] };
  expect(lay('%msg', fields)).toBe('Done owner=airtel took=3 list=[1,"x"]\n');
  expect(lay('{%kvp} %msg', fields)).toBe('{owner=airtel took=3 list=[1,"x"]} Done\n');
});

test('a stack with its causes follows the line, stands where %ex asks for it, and is dropped by %nopex', () => {
  const err = { type: 'Error', message: 'a', stack: 'Error: a\n  at x', cause: { type: 'Error', message: 'b', stack: 'Error: b\n  at y' } };
  const stack = 'Error: a\n  at x\nCaused by: Error: b\n  at y\n';
  expect(lay('%msg%n', { err })).toBe(`Done err="Error: a"\n${stack}`);
  expect(lay('%msg%n%rEx', { err })).toBe(`Done err="Error: a"\n${stack}`);
  expect(lay('%msg%n%nopex', { err })).toBe('Done err="Error: a"\n');
});

test('the offset of a zone follows daylight saving time', () => {
  expect(isoTime(Date.UTC(2026, 2, 29, 0, 59, 59, 999), 'Europe/Berlin')).toBe('2026-03-29T01:59:59.999+01:00');
  expect(isoTime(Date.UTC(2026, 2, 29, 1), 'Europe/Berlin')).toBe('2026-03-29T03:00:00.000+02:00');
  expect(isoTime(time, 'America/St_Johns')).toBe('2026-03-09T14:34:05.006-02:30');
});

test('zones are known by IANA name, by offset and by the names Java has', () => {
  expect(['UTC', 'GMT', 'Asia/Colombo', 'GMT+5:30', 'UTC-03', '+05:30'].map(knownTimeZone)).toEqual(['UTC', 'UTC', 'Asia/Colombo', '+05:30', '-03:00', '+05:30']);
  expect(knownTimeZone('system')).toBe(new Intl.DateTimeFormat().resolvedOptions().timeZone);
  expect(knownTimeZone('Mars/Base')).toBeUndefined();
});

test('literals and names of a Java date pattern', () => {
  expect(javaDate(time, "yyyy 'o''clock' MMMM EEEE D ''", 'UTC')).toBe("2026 o'clock March Monday 68 '");
});
