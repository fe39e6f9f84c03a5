import { describe, expect, it } from 'vitest';

import { UsageError } from '../demo/command.ts';
import { readOptions, replayArgs, seedOf } from './options.ts';

describe('Options', () => {
  it('have defaults, and a seed of their own each time', () => {
    const [one, two] = [readOptions([]), readOptions([])];
    expect(one).toMatchObject({ minutes: 5, nodes: 3, owners: 60, faults: Infinity, only: [], first: [], redis: ['single', 'sentinel', 'cluster'] });
    expect(one.seed).not.toBe(two.seed);
  });

  it('are what was typed', () => {
    const args = '--minutes 0.5 --seed 42 --nodes 5 --owners 100 --faults 1000 --redis cluster,single --only disk --only point --first frozen --markdown table.md'.split(' ');
    expect(readOptions(args)).toMatchObject({ minutes: 0.5, seed: 42, nodes: 5, owners: 100, faults: 1000, redis: ['cluster', 'single'], only: ['disk', 'point'], first: ['frozen'], markdown: 'table.md' });
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

describe('The plan of a layout', () => {
  it('has the seed of the run and its place among all layouts', () => {
    expect((['single', 'sentinel', 'cluster'] as const).map((topology) => seedOf(topology, { seed: 42 }))).toEqual([42, 43, 44]);
  });

  it.each(['single', 'sentinel', 'cluster'] as const)('of a %s Redis is had alone by the arguments for that', (topology) => {
    const all = readOptions(['--seed', '42', '--nodes', '5', '--only', 'point', '--only', 'frozen', '--first', 'killed at after-claim (service)']);
    const alone = readOptions(replayArgs(topology, all));
    expect(alone).toMatchObject({ redis: [topology], nodes: 5, only: all.only, first: all.first });
    expect(seedOf(topology, alone)).toBe(seedOf(topology, all));
  });
});
