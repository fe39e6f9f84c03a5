import { Repeating } from '../../../src/runtime/lifecycle.ts';
import type { Interval } from '../evidence.ts';
import type { FleetNode } from '../../harness/fleet-node.ts';

const lookEveryMs = 50;

/** After a node is back, a load balancer takes so long to notice, ms. */
const noticedWithinMs = 500;

/** Sees when no node at all was there to answer: each of them dead, paused, or not ready yet since it was started. */
export class Presence {
  readonly #nodes: readonly FleetNode[];
  readonly #looking: Repeating;
  readonly #absences: Interval[] = [];
  #nobodySince: number | undefined;
  #lookedAt = Date.now();

  constructor(nodes: readonly FleetNode[]) {
    this.#nodes = nodes;
    this.#looking = new Repeating('presence', () => lookEveryMs, async () => this.#look(), () => undefined);
  }

  get nobodyUp(): readonly Interval[] {
    return this.#absences;
  }

  async start(): Promise<void> {
    await this.#looking.start();
  }

  async stop(): Promise<void> {
    await this.#looking.stop();
    this.#somebodyIsUp(Date.now());
  }

  #look(): void {
    const before = this.#lookedAt;
    this.#lookedAt = Date.now();
    if (this.#nodes.some((node) => node.isUp)) this.#somebodyIsUp(this.#lookedAt);
    else this.#nobodySince ??= before;
  }

  #somebodyIsUp(now: number): void {
    if (this.#nobodySince !== undefined) this.#absences.push({ from: this.#nobodySince, until: now + noticedWithinMs });
    this.#nobodySince = undefined;
  }
}
