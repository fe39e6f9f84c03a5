import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Point } from './points.ts';

export type ProcessKind = 'service' | 'courier';

/** What happens to a process that comes to a point: its end without warning, or a pause that somebody else ends. */
export type Deed = 'kill' | 'pause';

/** The process that came to the point alone, the other one of its node, or both, as when a container ends. */
export type Whom = 'itself' | 'the other' | 'both';

export interface Order {
  readonly id: number;
  readonly point: Point;
  readonly deed: Deed;
  readonly whom: Whom;
}

/** An order that was carried out. */
export interface Hit extends Order {
  readonly node: string;
  readonly kind: ProcessKind;
  readonly pid: number;
  /** The processes that were killed or paused. */
  readonly pids: readonly number[];
  readonly at: number;
  /** Whose turn it was, where the point tells. */
  readonly attempt?: string;
}

/**
 * How a run talks to what it sabotages: files in one folder. Everything is synchronous, so that a process stops where it is,
 * and a rename decides which of several processes takes an order.
 */
export class Orders {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    for (const name of ['armed', 'taken', 'hits']) mkdirSync(join(folder, name), { recursive: true });
  }

  /** The next process to come to the point carries it out; an order that stood there before is replaced. */
  give(order: Order): void {
    const draft = join(this.#folder, `draft-${order.id}`);
    writeFileSync(draft, JSON.stringify(order));
    renameSync(draft, this.#armed(order.point));
  }

  /** @returns whether nobody had taken it yet */
  withdraw(order: Order): boolean {
    return this.take(order.point)?.id === order.id;
  }

  /** The order for a point; of all who come there one gets it. */
  take(point: Point): Order | undefined {
    if (!existsSync(this.#armed(point))) return undefined;
    const taken = join(this.#folder, 'taken', `${point}-${process.pid}-${process.hrtime.bigint()}`);
    try {
      renameSync(this.#armed(point), taken);
    } catch {
      return undefined;
    }
    return JSON.parse(readFileSync(taken, 'utf8')) as Order;
  }

  report(hit: Hit): void {
    const draft = join(this.#folder, `draft-hit-${hit.id}`);
    writeFileSync(draft, JSON.stringify(hit));
    renameSync(draft, join(this.#folder, 'hits', String(hit.id)));
  }

  hit(id: number): Hit | undefined {
    const file = join(this.#folder, 'hits', String(id));
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Hit) : undefined;
  }

  hits(): Hit[] {
    return readdirSync(join(this.#folder, 'hits')).map((id) => this.hit(Number(id)) as Hit);
  }

  #armed(point: Point): string {
    return join(this.#folder, 'armed', point);
  }
}
