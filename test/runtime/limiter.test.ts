import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { Limiter } from '../../src/runtime/limiter.ts';

describe('a limiter', () => {
  test('runs at most as many at once as it is told, and all in the end', async () => {
    const limiter = new Limiter(3);
    let [running, most, done] = [0, 0, 0];
    await Promise.all(Array.from({ length: 30 }, () => limiter.run(async () => {
      most = Math.max(most, ++running);
      await delay(Math.random() * 4);
      running--;
      done++;
    })));
    expect([most, done, limiter.waiting]).toEqual([3, 30, 0]);
  });

  test('lets the others wait in the order they came', async () => {
    const limiter = new Limiter(1);
    const order: number[] = [];
    const gate = Promise.withResolvers<undefined>();
    const all = [limiter.run(() => gate.promise), ...[1, 2, 3, 4].map((n) => limiter.run(() => Promise.resolve(order.push(n))))];
    expect(limiter.waiting).toBe(4);
    gate.resolve(undefined);
    await Promise.all(all);
    expect(order).toEqual([1, 2, 3, 4]);
  });

  test('lets what is urgent go before all that waits, in the order it came', async () => {
    const limiter = new Limiter(1);
    const order: string[] = [];
    const gate = Promise.withResolvers<undefined>();
    const note = (name: string) => (): Promise<number> => Promise.resolve(order.push(name));
    const all = [limiter.run(() => gate.promise), limiter.run(note('a')), limiter.run(note('b')), limiter.runUrgently(note('first')), limiter.runUrgently(note('second'))];
    expect(limiter.waiting).toBe(4);
    gate.resolve(undefined);
    await Promise.all(all);
    expect(order).toEqual(['first', 'second', 'a', 'b']);
  });

  test('gives on what the work gives, and its place back where the work fails, at once or later', async () => {
    const limiter = new Limiter(1);
    await expect(limiter.run(() => Promise.reject(new Error('later')))).rejects.toThrow('later');
    await expect(limiter.run(() => { throw new Error('at once'); })).rejects.toThrow('at once');
    expect(await limiter.run(() => Promise.resolve(7))).toBe(7);
  });

  test('counts a place that was handed on as taken', async () => {
    const limiter = new Limiter(1);
    const [first, second] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const [a, b] = [limiter.run(() => first.promise), limiter.run(() => second.promise)];
    first.resolve(undefined);
    await a;
    let ran = false;
    const c = limiter.run(() => Promise.resolve((ran = true)));
    await delay(5);
    expect([ran, limiter.waiting]).toEqual([false, 1]);
    second.resolve(undefined);
    await Promise.all([b, c]);
    expect(ran).toBe(true);
  });

  test('never lets a newcomer past one that waits', async () => {
    const limiter = new Limiter(1);
    const order: string[] = [];
    const first = limiter.run(() => Promise.resolve(order.push('first')));
    const second = limiter.run(() => Promise.resolve(order.push('second')));
    await first;
    const third = limiter.run(() => Promise.resolve(order.push('third')));
    await Promise.all([second, third]);
    expect(order).toEqual(['first', 'second', 'third']);
  });
});
