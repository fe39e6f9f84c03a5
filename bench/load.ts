/** The load generator, in a process of its own: carries out one `LoadOrder` after the other. */
import { Latencies } from './latencies.ts';
import { LoadConnection } from './load-connection.ts';
import type { LoadOrder, LoadResult } from './load-order.ts';

process.on('disconnect', () => process.exit(0));
process.on('message', (order: LoadOrder) => void generate(order).then((result) => process.send?.(result)));

async function generate(order: LoadOrder): Promise<LoadResult> {
  const { port, connections, warmUpMs, measureMs } = order;
  const requests = order.paths.map((path) => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`));
  const latencies = new Latencies();
  const countFrom = performance.now() + warmUpMs;
  const endAt = measureMs === 0 ? Infinity : countFrom + measureMs;
  let [sent, answers, allAnswers, failures] = [0, 0, 0, 0];
  let lastAt = countFrom;

  const next = (): Buffer | undefined => {
    if (measureMs === 0 ? sent >= requests.length : performance.now() >= endAt) return undefined;
    return requests[sent++ % requests.length];
  };
  const onAnswer = (ok: boolean, tookMs: number): void => {
    allAnswers++;
    if (!ok) failures++;
    const now = performance.now();
    if (now < countFrom || now >= endAt) return;
    lastAt = now;
    answers++;
    latencies.add(tookMs);
  };
  const run = (): Promise<void> =>
    new Promise((resolve) => {
      const onEnd = (broken: boolean): void => {
        if (broken) failures++;
        resolve();
      };
      new LoadConnection(port, { next, onAnswer, onEnd });
    });

  await Promise.all(Array.from({ length: connections }, run));
  const seconds = (measureMs === 0 ? lastAt - countFrom : measureMs) / 1000;
  return { answers, allAnswers, failures, seconds, p50Ms: latencies.quantile(0.5), p99Ms: latencies.quantile(0.99) };
}
