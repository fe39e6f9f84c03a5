import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, test, vi } from 'vitest';

import { atStart, atStop, Lifecycle, Repeating, together, type Service } from '../../src/runtime/lifecycle.ts';

const log: string[] = [];
const failures: string[] = [];

function part(name: string, changes: Partial<Service> = {}): Service {
  return {
    name,
    start: () => Promise.resolve(void log.push(`+${name}`)),
    stop: () => Promise.resolve(void log.push(`-${name}`)),
    ...changes,
  };
}

function whole(...parts: Service[]): Lifecycle {
  log.length = failures.length = 0;
  return new Lifecycle('whole', parts, (name, error) => { failures.push(`${name}: ${String(error)}`); });
}

describe('a lifecycle', () => {
  test('starts its parts in order and stops them in reverse', async () => {
    const lifecycle = whole(part('a'), part('b'), part('c'));
    await lifecycle.start();
    await lifecycle.stop();
    expect(log).toEqual(['+a', '+b', '+c', '-c', '-b', '-a']);
  });

  test('starts a part when the one before it has started, and stops one when the one after it has stopped', async () => {
    const slow = (name: string): Service => part(name, {
      start: () => delay(20).then(() => void log.push(`+${name}`)),
      stop: () => delay(20).then(() => void log.push(`-${name}`)),
    });
    const lifecycle = whole(slow('a'), part('b'), slow('c'));
    await lifecycle.start();
    await lifecycle.stop();
    expect(log).toEqual(['+a', '+b', '+c', '-c', '-b', '-a']);
  });

  test('whose part cannot start stops it and those before it, starts none after it, and says why', async () => {
    const lifecycle = whole(part('a'), part('b', { start: () => Promise.reject(new Error('no')) }), part('c'));
    await expect(lifecycle.start()).rejects.toThrow('no');
    expect(log).toEqual(['+a', '-b', '-a']);
    await lifecycle.stop();
    expect(log).toEqual(['+a', '-b', '-a']);
  });

  test('stops the rest where a part does not stop cleanly, and reports it', async () => {
    const lifecycle = whole(part('a'), part('b', { stop: () => Promise.reject(new Error('stuck')) }), part('c'));
    await lifecycle.start();
    await lifecycle.stop();
    expect(log).toEqual(['+a', '+b', '+c', '-c', '-a']);
    expect(failures).toEqual(['b: Error: stuck']);
  });

  test('may be stopped before it started, twice, and started again', async () => {
    const lifecycle = whole(part('a'));
    await lifecycle.stop();
    await lifecycle.start();
    await lifecycle.stop();
    await lifecycle.stop();
    await lifecycle.start();
    await lifecycle.stop();
    expect(log).toEqual(['+a', '-a', '+a', '-a']);
  });

  test('stopped twice at once has stopped for both', async () => {
    const lifecycle = whole(part('a', { stop: () => delay(30).then(() => void log.push('-a')) }));
    await lifecycle.start();
    void lifecycle.stop();
    await lifecycle.stop();
    expect(log).toEqual(['+a', '-a']);
  });

  test('stopped while it starts leaves nothing running, and starts no more', async () => {
    const [begun, gate] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const start = (): Promise<void> => {
      begun.resolve(undefined);
      return gate.promise.then(() => void log.push('+b'));
    };
    const lifecycle = whole(part('a'), part('b', { start }), part('c'));
    const starting = lifecycle.start();
    await begun.promise;
    const stopping = lifecycle.stop();
    gate.resolve(undefined);
    await Promise.all([starting, stopping]);
    expect(log).toEqual(['+a', '+b', '-b', '-a']);
  });
});

test('work at the start and at the end is done there and nowhere else', async () => {
  const lifecycle = whole(atStart('first', () => void log.push('first')), part('a'), atStop('last', () => Promise.resolve(void log.push('last'))));
  await lifecycle.start();
  expect(log).toEqual(['first', '+a']);
  await lifecycle.stop();
  expect(log).toEqual(['first', '+a', 'last', '-a']);
});

describe('services that stop together', () => {
  test('start one after the other, and none waits for another to stop', async () => {
    const gate = Promise.withResolvers<undefined>();
    const held = part('a', { start: () => delay(20).then(() => void log.push('+a')), stop: () => gate.promise.then(() => void log.push('-a')) });
    const lifecycle = whole(part('before'), together('both', [held, part('b', { stop: () => Promise.resolve(void log.push('-b')).then(() => { gate.resolve(undefined); }) })]));
    await lifecycle.start();
    await lifecycle.stop();
    expect(log).toEqual(['+before', '+a', '+b', '-b', '-a', '-before']);
  });

  test('have all stopped before what came before them stops, though one does not stop cleanly', async () => {
    const slow = part('a', { stop: () => delay(30).then(() => void log.push('-a')) });
    const lifecycle = whole(part('before'), together('both', [part('b', { stop: () => Promise.reject(new Error('stuck')) }), slow]));
    await lifecycle.start();
    await lifecycle.stop();
    expect(log.slice(-2)).toEqual(['-a', '-before']);
    expect(failures).toEqual([expect.stringContaining('both: AggregateError')]);
  });
});

describe('repeated work', () => {
  test('goes on until it is stopped, with its pause between two rounds, one at a time', async () => {
    let [rounds, running, most] = [0, 0, 0];
    const repeating = new Repeating('r', () => 5, async () => {
      most = Math.max(most, ++running);
      await delay(5);
      running--;
      rounds++;
    }, () => undefined);
    await repeating.start();
    await repeating.start();
    await vi.waitFor(() => { expect(rounds).toBeGreaterThanOrEqual(5); });
    await repeating.stop();
    const stopped = rounds;
    await delay(40);
    expect(rounds).toBe(stopped);
    expect(most).toBe(1);
  });

  test('begins its first round at once', async () => {
    let rounds = 0;
    const repeating = new Repeating('r', () => 60_000, () => {
      rounds++;
      return Promise.resolve();
    }, () => undefined);
    await repeating.start();
    await vi.waitFor(() => { expect(rounds).toBe(1); });
    const begun = performance.now();
    await repeating.stop();
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  test('goes on after a round that failed, and reports each', async () => {
    const reported: unknown[] = [];
    let rounds = 0;
    const repeating = new Repeating('r', () => 1, () => Promise.reject(new Error(`round ${String(++rounds)}`)), (error) => reported.push(String(error)));
    await repeating.start();
    await vi.waitFor(() => { expect(reported.length).toBeGreaterThanOrEqual(3); });
    await repeating.stop();
    expect(reported.slice(0, 2)).toEqual(['Error: round 1', 'Error: round 2']);
  });

  test('has ended its round when it has stopped, which its signal told to end, and does not report that', async () => {
    const reported: unknown[] = [];
    let ended = false;
    const repeating = new Repeating('r', () => 1, async (signal) => {
      await delay(60_000, undefined, { signal }).finally(() => (ended = true));
    }, (error) => reported.push(error));
    await repeating.start();
    await repeating.stop();
    expect(ended).toBe(true);
    expect(reported).toEqual([]);
  });

  test('may be stopped before it started, twice, and started again', async () => {
    let rounds = 0;
    const repeating = new Repeating('r', () => 1, () => {
      rounds++;
      return Promise.resolve();
    }, () => undefined);
    await repeating.stop();
    await repeating.start();
    await Promise.all([repeating.stop(), repeating.stop()]);
    const before = rounds;
    await repeating.start();
    await vi.waitFor(() => { expect(rounds).toBeGreaterThan(before); });
    await repeating.stop();
  });
});
