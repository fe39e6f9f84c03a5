import { setTimeout as sleep } from 'node:timers/promises';

import { readLedger } from '../checker/ledger.ts';
import type { Diary } from '../diary.ts';
import type { Check, Evidence } from '../evidence.ts';
import { gather } from '../gather.ts';
import type { Observers } from '../observers.ts';
import type { Deed, Hit, Order, Whom } from '../sabotage/orders.ts';
import type { Point } from '../sabotage/points.ts';
import { sendSignal } from '../../harness/fleet-node.ts';
import type { World } from '../world/world.ts';

const lookEveryMs = 50;
/** What has not come about by then does not. */
const patienceMs = 30_000;
/** For harm that must not come: by far longer than it takes to come. */
const quietMs = 1500;

/** A cluster on which a temptation is acted out. */
export class Stage {
  readonly world: World;
  readonly diary: Diary;
  readonly observers: Observers;
  /** Whether something stands between the temptation and the harm. */
  readonly isHarmless: boolean;
  readonly #caughtBy: Check;
  #orders = 0;

  constructor(world: World, diary: Diary, observers: Observers, isHarmless: boolean, caughtBy: Check) {
    this.world = world;
    this.diary = diary;
    this.observers = observers;
    this.isHarmless = isHarmless;
    this.#caughtBy = caughtBy;
  }

  /** Has the token refreshed, and the process that comes to the point with it killed or paused. Resolves when it has been. */
  async refreshTo(point: Point, deed: Deed, whom: Whom): Promise<Hit> {
    const order = this.#give(point, deed, whom);
    await this.makeDue();
    return this.#carriedOut(order);
  }

  /** The same for the next process that comes there by itself. */
  async nextAt(point: Point, deed: Deed, whom: Whom): Promise<Hit> {
    return this.#carriedOut(this.#give(point, deed, whom));
  }

  wake({ pids }: Hit): void {
    for (const pid of pids) sendSignal(pid, 'SIGCONT');
  }

  /** Has every token refreshed that is not: the master finds that it is overdue. */
  async makeDue(): Promise<void> {
    const { record } = this.world;
    await this.until('the token is planned', async () => (await record.query("SELECT 1 FROM tsttoken WHERE isvalid = 1 AND state = 'idle' AND dueat IS NULL")).length === 0);
    await record.query("UPDATE tsttoken SET dueat = 1 WHERE isvalid = 1 AND state = 'idle'");
  }

  /** How many tokens were replaced by a new one. */
  async refreshes(): Promise<number> {
    const [row] = await this.world.record.query<{ refreshes: number }>('SELECT COUNT(DISTINCT parenttokendid) AS refreshes FROM tsttoken');
    return Number(row?.refreshes);
  }

  /** @param what for whoever reads that it did not happen */
  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    if (!(await this.within(patienceMs, condition))) throw new Error(`The situation did not come about in which ${what}`);
  }

  /** @returns whether it came true */
  async within(ms: number, condition: () => boolean | Promise<boolean>): Promise<boolean> {
    for (const until = performance.now() + ms; performance.now() < until; await sleep(lookEveryMs)) if (await condition()) return true;
    return condition();
  }

  /** The harm has its time to come: where nothing stands between as long as it takes. */
  async aftermath(): Promise<void> {
    await this.within(this.isHarmless ? quietMs : patienceMs, () => this.isBroken());
  }

  /** Whether the invariant is, as things stand. */
  async isBroken(): Promise<boolean> {
    const { violations } = await this.#caughtBy(this.evidence(), await readLedger(this.world.record));
    return violations.length > 0;
  }

  /** So far. */
  evidence(): Evidence {
    return gather(this.world, this.diary, this.observers, this.observers.readers.report());
  }

  #give(point: Point, deed: Deed, whom: Whom): Order {
    const order = { id: ++this.#orders, point, deed, whom };
    this.world.orders.give(order);
    return order;
  }

  async #carriedOut(order: Order): Promise<Hit> {
    await this.until(`somebody comes to ${order.point}`, () => this.world.orders.hit(order.id) !== undefined);
    return this.world.orders.hit(order.id) as Hit;
  }
}
