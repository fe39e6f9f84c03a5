import type { Death, Interval } from './evidence.ts';
import type { Traces } from './faults/fault.ts';

/** What was done to a cluster, as far as the checker has to know. */
export class Diary implements Traces {
  readonly courierDeaths: Death[] = [];
  readonly nodeDeaths: Death[] = [];
  readonly nobody: Interval[] = [];
  /** When Redis, or a way to it, was in trouble. */
  readonly redisTroubles: Interval[] = [];
  /** Inflicted, by kind. */
  readonly faults = new Map<string, number>();
  /** Planned, but nothing came along for them. */
  readonly missed = new Map<string, number>();

  /** Each fault with its times, in the order of their ends. */
  readonly lines: string[] = [];

  courierDied(node: string): void {
    this.courierDeaths.push({ node, at: Date.now() });
  }

  nodeDied(node: string): void {
    this.nodeDeaths.push({ node, at: Date.now() });
  }

  async nobodyUp(work: () => Promise<void>): Promise<void> {
    const from = Date.now();
    await work().finally(() => this.nobody.push({ from, until: Date.now() }));
  }

  /** @param from when it began, epoch ms */
  note(kind: string, wasInflicted: boolean, from: number): void {
    this.lines.push(`${new Date(from).toISOString()} to ${new Date().toISOString()}  ${wasInflicted ? '' : 'did not come about: '}${kind}`);
    if (/Redis|Sentinel|both stores/.test(kind)) this.redisTroubles.push({ from, until: Date.now() });
    const table = wasInflicted ? this.faults : this.missed;
    table.set(kind, (table.get(kind) ?? 0) + 1);
  }

  get total(): number {
    return [...this.faults.values()].reduce((sum, count) => sum + count, 0);
  }
}
