import { expect, test } from 'vitest';

import { UsageError } from '../demo/command.ts';
import { readOptions } from './options.ts';

test('without options Redis is away for five minutes, MySQL and both for one', () => {
  expect(readOptions([])).toEqual({ redis: 300, mysql: 60, both: 60, owners: 60, tokenSeconds: 20, nodes: 3, help: false });
});

test('every option is taken', () => {
  const args = ['--redis', '0', '--mysql', '30', '--both', '45', '--owners', '8', '--token-seconds', '10', '--nodes', '2'];
  expect(readOptions(args)).toEqual({ redis: 0, mysql: 30, both: 45, owners: 8, tokenSeconds: 10, nodes: 2, help: false });
  expect(readOptions(['-h']).help).toBe(true);
});

test.each([
  [['--redis', '-1']],
  [['--mysql', 'long']],
  [['--owners', '3']],
  [['--nodes', '1']],
  [['--mysql', '20', '--token-seconds', '20']],
  [['--no-such-thing']],
  [['twice']],
])('%s is refused', (args) => {
  expect(() => readOptions(args)).toThrow(UsageError);
});
