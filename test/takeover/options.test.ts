import { expect, test } from 'vitest';

import { UsageError } from '../demo/command.ts';
import { readOptions } from './options.ts';

test('without options the master is killed thirty times and stopped thirty times', () => {
  expect(readOptions([])).toEqual({ kills: 30, handovers: 30, nodes: 3, owners: 200, leaseMs: 3000, tokenSeconds: 20, help: false });
});

test('every option is taken', () => {
  const args = ['--kills', '0', '--handovers', '3', '--nodes', '2', '--owners', '50', '--lease-ms', '1500', '--token-seconds', '10'];
  expect(readOptions(args)).toEqual({ kills: 0, handovers: 3, nodes: 2, owners: 50, leaseMs: 1500, tokenSeconds: 10, help: false });
  expect(readOptions(['-h']).help).toBe(true);
});

test.each([[['--kills', '-1']], [['--kills', 'many']], [['--nodes', '1']], [['--lease-ms', '10']], [['--lease-ms', '6000', '--token-seconds', '20']], [['--no-such-thing']], [['twice']]])('%s is refused', (args) => {
  expect(() => readOptions(args)).toThrow(UsageError);
});
