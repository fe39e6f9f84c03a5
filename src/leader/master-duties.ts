import type { Clock } from '../runtime/clock.ts';
import { atStart, Lifecycle, Repeating, type Service } from '../runtime/lifecycle.ts';
import type { Logger } from '../runtime/log.ts';
import type { Term } from '../pool/term.ts';
import type { Duties } from './elector.ts';
import type { Reconciler } from './reconciler.ts';

export interface DutyParts {
  readonly reconciler: Pick<Reconciler, 'round' | 'restMs' | 'survey'>;
  readonly reconcileEveryMs: number;
  /** Begins at once with a term: tells the nodes that there is a master. */
  readonly heartbeat: (term: Term) => Service;
  /** Alarms and commands, in the order of their start. */
  readonly workers: (term: Term) => readonly Service[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** For how long the reconciler's first rounds have the processor and the stores to themselves, ms: they find whatever is due. */
const headStartMs = 300;

/** Starts and stops what only the master does. What fell due while nobody was master goes first: workers have to connect, and a survey reads the whole pool. */
export class MasterDuties implements Duties {
  readonly #parts: DutyParts;
  #running: Lifecycle | undefined;

  constructor(parts: DutyParts) {
    this.#parts = parts;
  }

  async start(term: Term): Promise<void> {
    const { reconciler, reconcileEveryMs, heartbeat, workers, clock, logger } = this.#parts;
    const repeating = (name: string, restMs: () => number, work: () => Promise<void>): Repeating =>
      new Repeating(name, restMs, work, (error) => logger.error({ name, error }, 'A round of the reconciler failed'));
    const services = [
      heartbeat(term),
      repeating('reconciler', () => reconciler.restMs(reconcileEveryMs), () => reconciler.round(term)),
      atStart('head start', () => clock.sleep(headStartMs, term.signal).catch(() => undefined)),
      // Workers stop first: the lease is another's already, while a survey may take its time.
      ...[repeating('survey', () => reconcileEveryMs, () => reconciler.survey(term)), ...workers(term)].map((service) => unlessOver(term, service)),
    ];
    this.#running = new Lifecycle('duties', services, (name, error) => logger.warn({ name, error }, 'A duty did not stop cleanly'));
    await this.#running.start();
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop();
  }
}

/** What a term that ended during the head start does not begin any more. */
function unlessOver({ signal }: Term, service: Service): Service {
  return { name: service.name, start: async () => { if (!signal.aborted) await service.start(); }, stop: () => service.stop() };
}
