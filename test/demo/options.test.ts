import { expect, test } from 'vitest';

import { UsageError } from './command.ts';
import { readOptions, usage } from './options.ts';

test('without arguments three nodes serve six owners and all is stopped at the end', () => {
  expect(readOptions([])).toEqual({ nodes: 3, owners: 6, stay: false, help: false });
});

test('each option is understood, and named by the help', () => {
  expect(readOptions(['--nodes', '5', '--owners=1', '--stay', '--help'])).toEqual({ nodes: 5, owners: 1, stay: true, help: true });
  for (const option of ['--nodes', '--owners', '--stay', '--help']) expect(usage).toContain(option);
});

test.each([
  [['--nodes', '1'], '--nodes 1: a whole number from 2 to 9 is wanted'],
  [['--nodes', '10'], '--nodes 10: a whole number from 2 to 9 is wanted'],
  [['--owners', '2.5'], '--owners 2.5: a whole number from 1 to 200 is wanted'],
  [['--owners', ''], '--owners : a whole number from 1 to 200 is wanted'],
  [['--sty'], "Unknown option '--sty'"],
  [['now'], "Unexpected argument 'now'"],
])('%j is refused with a word on what is wrong', (args, message) => {
  expect(() => readOptions(args)).toThrow(UsageError);
  expect(() => readOptions(args)).toThrow(message);
});
