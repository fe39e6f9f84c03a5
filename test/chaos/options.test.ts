import { describe, expect, it } from 'vitest';

import { UsageError } from '../demo/command.ts';
import { readOptions } from './options.ts';

describe('Options', () => {
  it('have defaults, and a seed of their own each time', () => {
    const [one, two] = [readOptions([]), readOptions([])];
    expect(one).toMatchObject({ minutes: 5, nodes: 3, owners: 60, faults: Infinity, only: [], redis: ['single', 'sentinel', 'cluster'] });
    expect(one.seed).not.toBe(two.seed);
  });

  it('are what was typed', () => {
    const args = '--minutes 0.5 --seed 42 --nodes 5 --owners 100 --faults 1000 --redis cluster,single --only disk --only point --markdown table.md'.split(' ');
    expect(readOptions(args)).toMatchObject({ minutes: 0.5, seed: 42, nodes: 5, owners: 100, faults: 1000, redis: ['cluster', 'single'], only: ['disk', 'point'], markdown: 'table.md' });
  });

  it.each([
    ['--minutes', '0'],
    ['--minutes', 'long'],
    ['--nodes', '1'],
    ['--nodes', '2.5'],
    ['--owners', '5'],
    ['--faults', '0'],
    ['--seed', '-1'],
    ['--redis', 'ring'],
    ['--speed', '1'],
  ])('that cannot be meant are refused: %s %s', (...args) => {
    expect(() => readOptions(args)).toThrow(UsageError);
  });
});
