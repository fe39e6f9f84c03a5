import type { Service } from '../runtime/lifecycle.ts';
import { Lifecycle, Repeating } from '../runtime/lifecycle.ts';
import type { Logger } from '../runtime/log.ts';
import type { Term } from '../pool/term.ts';
import type { Duties } from './elector.ts';
import type { Reconciler } from './reconciler.ts';

export interface DutyParts {
  readonly reconciler: Reconciler;
  readonly reconcileEveryMs: number;
  /** The duties that come and go with a term, in the order of their start. */
  readonly perTerm: (term: Term) => readonly Service[];
  readonly logger: Logger;
}

/** Starts and stops what only the master does. The reconciler's first round comes before the alarms: what was left behind goes first. */
export class MasterDuties implements Duties {
  readonly #parts: DutyParts;
  #running: Lifecycle | undefined;

  constructor(parts: DutyParts) {
    this.#parts = parts;
  }

  async start(term: Term): Promise<void> {
    const { reconciler, reconcileEveryMs, perTerm, logger } = this.#parts;
    const repeating = (name: string, restMs: () => number, work: () => Promise<void>): Repeating =>
      new Repeating(name, restMs, work, (error) => logger.error({ name, error }, 'A round of the reconciler failed'));
    const rounds = [
      repeating('reconciler', () => reconciler.restMs(reconcileEveryMs), () => reconciler.round(term)),
      repeating('survey', () => reconcileEveryMs, () => reconciler.survey(term)),
    ];
    this.#running = new Lifecycle('duties', [...rounds, ...perTerm(term)], (name, error) => logger.warn({ name, error }, 'A duty did not stop cleanly'));
    await this.#running.start();
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop();
  }
}
