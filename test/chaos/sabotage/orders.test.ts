import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Orders, type Hit, type Order } from './orders.ts';

const order: Order = { id: 1, point: 'after-claim', deed: 'kill', whom: 'both' };
const hit: Hit = { ...order, node: 'node-1', kind: 'service', pid: 4711, pids: [4712, 4711], at: 1 };

let folder: string;
let orders: Orders;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tps-orders-'));
  orders = new Orders(folder);
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('An order', () => {
  it('is carried out by one of those who come to its point', () => {
    orders.give(order);
    const [first, second] = [new Orders(folder).take('after-claim'), new Orders(folder).take('after-claim')];
    expect(first).toEqual(order);
    expect(second).toBeUndefined();
  });

  it('stands for its point alone', () => {
    orders.give(order);
    expect(orders.take('before-claim')).toBeUndefined();
  });

  it('can be withdrawn while nobody has taken it', () => {
    orders.give(order);
    expect(orders.withdraw(order)).toBe(true);
    expect(orders.withdraw(order)).toBe(false);
    expect(orders.take('after-claim')).toBeUndefined();
  });

  it('that was carried out says so', () => {
    expect(orders.hit(1)).toBeUndefined();
    orders.report(hit);
    expect(orders.hit(1)).toEqual(hit);
    expect(orders.hits()).toEqual([hit]);
  });
});
