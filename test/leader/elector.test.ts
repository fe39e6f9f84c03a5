import { randomUUID } from 'node:crypto';

import { afterEach, expect, test, vi } from 'vitest';

import { Elector, type Duties } from '../../src/leader/elector.ts';
import type { Database } from '../../src/mysql/connection.ts';
import { TermTable } from '../../src/mysql/terms.ts';
import type { Term } from '../../src/pool/term.ts';
import { RedisLease } from '../../src/redis/lease.ts';
import { ClusterClock } from '../../src/runtime/clock.ts';
import { useRedis } from '../harness/redis.ts';
import { heldBeforeCommit, silent, useTokenDatabase } from '../mysql/token-database.ts';
import { untilReady, useClients } from '../redis/clients.ts';

const database = useTokenDatabase();
const redis = useRedis();
const connect = useClients();
const timing = { leaseMs: 1500, renewMs: 250 };
const electors: Elector[] = [];

afterEach(async () => {
  await Promise.all(electors.splice(0).map((elector) => elector.stop()));
});

interface Node {
  readonly elector: Elector;
  /** Epochs of its terms, the present one last. */
  readonly terms: number[];
  /** What its duties do now. */
  readonly duties: string[];
}

async function nodeOn(prefix: string, { db = database().db, duties: given = {} }: { db?: Database; duties?: Partial<Duties> } = {}): Promise<Node> {
  const [terms, duties]: [number[], string[]] = [[], []];
  const doing: Duties = {
    start: (term) => { duties.push(`start ${String(term.epoch)}`); return Promise.resolve(); },
    stop: () => { duties.push('stop'); return Promise.resolve(); },
    ...given,
  };
  const elector = new Elector({
    lease: new RedisLease(await untilReady(connect({ url: redis().url }, 'lease')), prefix),
    terms: new TermTable(db, randomUUID()),
    timing,
    duties: doing,
    clock: new ClusterClock(),
    logger: silent,
    announceVacancy: () => Promise.resolve(),
    onChange: (term: Term | undefined) => { if (term) terms.push(term.epoch); },
  });
  electors.push(elector);
  return { elector, terms, duties };
}

async function untilMaster({ elector }: Node, timeout = 5000): Promise<Term> {
  return vi.waitUntil(() => elector.term, { timeout, interval: 5 });
}

test('one of two leads, and when it stops the other leads well within the time of a lease', async () => {
  const prefix = `test-${randomUUID()}`;
  const [first, second] = [await nodeOn(prefix), await nodeOn(prefix)];
  await first.elector.start();
  const { epoch } = await untilMaster(first);
  await second.elector.start();
  await first.elector.stop();
  const begun = performance.now();
  second.elector.standNow();
  expect((await untilMaster(second)).epoch).toBeGreaterThan(epoch);
  expect(performance.now() - begun).toBeLessThan(timing.leaseMs / 2);
  expect(first.duties).toEqual([`start ${String(epoch)}`, 'stop']);
});

test('a node that is told to stop while it stands leaves no lease behind', async () => {
  const prefix = `test-${randomUUID()}`;
  const { promise: standing, resolve: stands } = Promise.withResolvers<undefined>();
  const { promise: told, resolve: tell } = Promise.withResolvers<undefined>();
  const first = await nodeOn(prefix, { db: heldBeforeCommit(database().db, async () => { stands(undefined); await told; }) });
  await first.elector.start();
  await standing;
  const stopped = first.elector.stop();
  tell(undefined);
  await stopped;
  expect(first.duties).toEqual([]);
  const second = await nodeOn(prefix);
  const begun = performance.now();
  await second.elector.start();
  await untilMaster(second);
  expect(performance.now() - begun).toBeLessThan(timing.leaseMs / 2);
});

test('a term that another one has followed in the record ends, although the lease in Redis is still held', async () => {
  const node = await nodeOn(`test-${randomUUID()}`);
  await node.elector.start();
  const term = await untilMaster(node);
  await new TermTable(database().db, 'another').begin(60_000);
  await vi.waitUntil(() => term.signal.aborted, { timeout: 2000, interval: 5 });
  expect(term.isTrusted()).toBe(false);
});

test('duties that cannot be started end the term, and the node stands again', async () => {
  let failures = 1;
  const node = await nodeOn(`test-${randomUUID()}`, { duties: { start: async () => { if (failures-- > 0) throw new Error('not now'); } } });
  await node.elector.start();
  await vi.waitUntil(() => node.terms.length >= 2, { timeout: 5000, interval: 5 });
  expect((await untilMaster(node)).isTrusted()).toBe(true);
});
