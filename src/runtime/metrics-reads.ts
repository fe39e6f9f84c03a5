import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';

/** The place that a caller's token came from; `none` where the call failed. */
export type ReadSource = 'memory' | 'redis' | 'mysql' | 'none';

export type ReadOutcome = 'served' | 'failed';

/** Counts reads in plain numbers, a few ns each, and hands them over when Prometheus asks. */
export class ReadCounters {
  readonly #counter: Counter;
  readonly #counts = new Map<string, { readonly source: ReadSource; readonly outcome: ReadOutcome; count: number }>();
  #fromMemory = 0;

  constructor(registry: Registry) {
    this.#counter = new Counter({
      name: 'tokenpool_reads_total',
      help: 'Reads of a token, by the place it came from.',
      labelNames: ['source', 'outcome'],
      registers: [registry],
    });
    // Of a series that appears with its first event, Prometheus sees no increase.
    for (const source of ['redis', 'mysql'] as const) this.#begin(source, 'served');
    this.#begin('none', 'failed');
  }

  servedFromMemory(): void {
    this.#fromMemory += 1;
  }

  count(source: ReadSource, outcome: ReadOutcome): void {
    (this.#counts.get(`${source} ${outcome}`) ?? this.#begin(source, outcome)).count += 1;
  }

  collect(): void {
    this.#counter.reset();
    this.#counter.inc({ source: 'memory', outcome: 'served' }, this.#fromMemory);
    for (const { source, outcome, count } of this.#counts.values()) this.#counter.inc({ source, outcome }, count);
  }

  #begin(source: ReadSource, outcome: ReadOutcome): { count: number } {
    const entry = { source, outcome, count: 0 };
    this.#counts.set(`${source} ${outcome}`, entry);
    return entry;
  }
}
