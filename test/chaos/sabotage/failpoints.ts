import { Orders, type Hit, type Order, type ProcessKind } from './orders.ts';
import { places, type Place, type Point } from './points.ts';

export interface Whereabouts {
  readonly folder: string;
  readonly node: string;
  readonly kind: ProcessKind;
  /** The process id of the node's other process, where there is one. */
  readonly other: () => number | undefined;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Puts the points into this process: what comes to one looks whether there is an order for it, and if so carries it out. */
export async function placeFailpoints(root: URL, here: Whereabouts): Promise<void> {
  const orders = new Orders(here.folder);
  const mine: readonly Place[] = places.filter((place) => place.process === here.kind);
  for (const place of mine) {
    const module = (await import(new URL(place.module, root).href)) as Record<string, { prototype: Record<string, Method> } | undefined>;
    const prototype = module[place.owner]?.prototype;
    const method = prototype?.[place.method];
    // A point that lies nowhere would be one that nothing ever happens at.
    if (!prototype || !method) throw new Error(`${place.module} has no ${place.owner}.${place.method}: the point ${place.point} is nowhere`);
    prototype[place.method] = wrapped(method, place, (args) => { come(orders, place, args, here); });
  }
}

function wrapped(method: Method, { side, counts }: Place, reached: (args: readonly unknown[]) => void): Method {
  if (side === 'before') {
    return function before(...args) {
      if (counts?.(args, undefined) !== false) reached(args);
      return method.apply(this, args);
    };
  }
  return async function after(...args) {
    const result = await method.apply(this, args);
    if (counts?.(args, result) !== false) reached(args);
    return result;
  };
}

function come(orders: Orders, { point, attempt }: Place, args: readonly unknown[], here: Whereabouts): void {
  const order = orders.take(point as Point);
  if (order) carryOut(order, attempt?.(args), orders, here);
}

/** Itself last: nothing after that line is run, or not before it is resumed. */
function carryOut(order: Order, attempt: string | undefined, orders: Orders, { node, kind, other }: Whereabouts): void {
  const otherPid = order.whom === 'itself' ? undefined : other();
  const pids = [...(otherPid === undefined ? [] : [otherPid]), ...(order.whom === 'the other' ? [] : [process.pid])];
  const hit: Hit = { ...order, node, kind, pid: process.pid, pids, at: Date.now(), ...(attempt !== undefined && { attempt }) };
  orders.report(hit);
  for (const pid of pids) signal(pid, order.deed === 'kill' ? 'SIGKILL' : 'SIGSTOP');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended already.
  }
}
