import { describe, expect, it } from 'vitest';

import { UsageError } from '../demo/command.ts';
import { readOptions } from './options.ts';
import { choiceOf, replayOf, runStorms } from './storms.ts';

const first = (...texts: string[]) => texts.flatMap((text) => ['--first', text]);

describe('What a layout is given', () => {
  it('begins with those of its faults that are wanted first, in that order and each once', () => {
    const options = readOptions(first('MySQL is frozen', 'Sentinel fails over', 'is frozen'));
    expect(choiceOf('sentinel', options).first.map(({ kind }) => kind)).toEqual(['MySQL is frozen', 'Sentinel fails over from a killed primary', 'Redis is frozen']);
    expect(choiceOf('single', options).first.map(({ kind }) => kind)).toEqual(['MySQL is frozen', 'Redis is frozen']);
  });

  it('is all there is of it, and what is first is of that', () => {
    const { faults, first: begins } = choiceOf('cluster', readOptions([...first('a master of the Redis Cluster'), '--only', 'redis']));
    expect(begins).toHaveLength(1);
    expect(begins.every((fault) => faults.includes(fault))).toBe(true);
    expect(faults.every(({ kind, family }) => kind.includes('redis') || family === 'redis')).toBe(true);
  });
});

it('what to type for one plan alone is fit for a shell, and asks for nothing that the layout does not have', () => {
  const options = readOptions(['--seed', '7', '--only', "master's", '--only', 'redis', ...first('a master of the Redis Cluster', 'Sentinel fails over')]);
  const replay = (topology: 'single' | 'cluster'): string => replayOf(topology, choiceOf(topology, options).first, options);
  expect(replay('cluster')).toBe("--redis cluster --seed 7 --nodes 3 --only 'master'\\''s' --only redis --first 'a master of the Redis Cluster'");
  expect(replay('single')).toBe("--redis single --seed 7 --nodes 3 --only 'master'\\''s' --only redis");
});

it('what is wanted first and is no fault of any layout is refused before anything is started', async () => {
  const options = readOptions(['--redis', 'single,cluster', ...first('Sentinel fails over')]);
  const events = { onEnd: () => Promise.reject(new Error('started')), onBreakdown: () => Promise.reject(new Error('started')) };
  await expect(runStorms(options, () => undefined, events)).rejects.toThrow(UsageError);
});
