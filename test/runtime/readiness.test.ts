import { expect, test } from 'vitest';

import { Readiness } from '../../src/runtime/readiness.ts';

async function stopped(noticedAfterMs: number): Promise<Readiness> {
  const readiness = new Readiness(noticedAfterMs);
  await readiness.start();
  await readiness.stop();
  return readiness;
}

async function waited(readiness: Readiness): Promise<number> {
  const begun = performance.now();
  await readiness.untilNoticed();
  return performance.now() - begun;
}

test('load is taken between start and stop, and before and after it is said why not', async () => {
  const readiness = new Readiness(0);
  expect(readiness.answer).toEqual({ ready: false, reason: 'the service is starting' });
  await readiness.start();
  expect(readiness.answer).toEqual({ ready: true });
  await readiness.stop();
  expect(readiness.answer).toEqual({ ready: false, reason: 'the service is stopping' });
});

test('balancers have their time from the stop on, whatever else took some of it', async () => {
  const readiness = await stopped(300);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const ms = await waited(readiness);
  expect(ms).toBeGreaterThan(50);
  expect(ms).toBeLessThan(250);
});

test('a stop that comes twice does not begin it anew', async () => {
  const readiness = await stopped(300);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await readiness.stop();
  expect(await waited(readiness)).toBeLessThan(250);
});

test('who is in a hurry waits for nobody, whether the wait has begun or not', async () => {
  const readiness = await stopped(60_000);
  setTimeout(() => { readiness.hurry(); }, 50);
  expect(await waited(readiness)).toBeLessThan(5000);
  const early = new Readiness(60_000);
  early.hurry();
  await early.start();
  await early.stop();
  expect(await waited(early)).toBeLessThan(1000);
});

test('nobody is waited for where no load was ever taken', async () => {
  const readiness = new Readiness(60_000);
  await readiness.stop();
  expect(await waited(readiness)).toBeLessThan(1000);
});
