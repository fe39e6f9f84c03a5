import { getEventListeners } from 'node:events';

import { afterEach, describe, expect, test, vi } from 'vitest';

import { ClusterClock } from '../../src/runtime/clock.ts';

afterEach(() => { vi.restoreAllMocks(); });

describe('the clock of the cluster', () => {
  test('is the time of this machine until the database said its own', () => {
    expect(Math.abs(new ClusterClock().now() - Date.now())).toBeLessThan(50);
  });

  test('follows the time of the database, taken for the middle of the question', () => {
    const clock = new ClusterClock();
    const answeredAt = clock.monotonic();
    clock.follow(1_900_000_000_000, answeredAt - 200, answeredAt);
    expect(clock.now() - 1_900_000_000_100).toBeGreaterThanOrEqual(0);
    expect(clock.now() - 1_900_000_000_100).toBeLessThan(50);
  });

  test('goes on with the monotonic clock whatever the wall clock of this machine does', () => {
    const clock = new ClusterClock();
    const before = clock.now();
    vi.spyOn(Date, 'now').mockReturnValue(0);
    expect(clock.now()).toBeGreaterThanOrEqual(before);
    expect(clock.now() - before).toBeLessThan(1_000);
  });

  test('tells by how much the wall clock of this machine is ahead', () => {
    const clock = new ClusterClock();
    clock.follow(Date.now() - 60_000, clock.monotonic(), clock.monotonic());
    expect(Math.abs(clock.wallClockAhead() - 60_000)).toBeLessThan(50);
  });

  test('sleeps as long as it is told, or until it is aborted, with the reason', async () => {
    const clock = new ClusterClock();
    const begun = clock.monotonic();
    await clock.sleep(30);
    expect(clock.monotonic() - begun).toBeGreaterThanOrEqual(28);
    const abort = new AbortController();
    const sleeping = clock.sleep(60_000, abort.signal);
    abort.abort(new Error('the term has ended'));
    await expect(sleeping).rejects.toThrow('the term has ended');
    await expect(clock.sleep(60_000, abort.signal)).rejects.toThrow('the term has ended');
  });

  test('lets thousands sleep by one signal: the last costs as little as the first', async () => {
    const clock = new ClusterClock();
    const { signal } = new AbortController();
    const begun = clock.monotonic();
    const sleeps = Array.from({ length: 20_000 }, () => clock.sleep(300, signal));
    expect(clock.monotonic() - begun).toBeLessThan(1_000);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await Promise.all(sleeps);
  });

  test('throws dice from 0 to below 1', () => {
    const clock = new ClusterClock();
    for (let i = 0; i < 1_000; i++) {
      const thrown = clock.random();
      expect(thrown >= 0 && thrown < 1).toBe(true);
    }
  });
});
