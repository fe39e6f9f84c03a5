import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, describe, expect, test, vi } from 'vitest';

import { CommandSender, CommandWorker, type Command, type CommandResult } from '../../src/queue/command-queue.ts';
import type { QueueOptions } from '../../src/queue/refresh-queue.ts';
import { useRedis } from '../harness/redis.ts';
import { startRedis } from '../harness/stores.ts';
import { startTcpProxy } from '../harness/tcp-proxy.ts';
import { timed, useClients } from '../redis/clients.ts';

const redis = useRedis();
const connect = useClients();
const open: { close?: () => Promise<void>; stop?: () => Promise<void> }[] = [];
const ignore = (): void => undefined;
let prefixes = 0;

afterEach(async () => {
  for (const each of open.splice(0)) await (each.stop?.() ?? each.close?.());
});

interface Cluster {
  readonly sender: () => CommandSender;
  readonly worker: (handle: (command: Command) => Promise<CommandResult>) => CommandWorker;
}

/** Nodes of one cluster, each with connections of its own. */
function cluster(url = redis().url, prefix = `{test-${String(++prefixes)}:refresh}`): Cluster {
  const options = (role: 'queue' | 'worker'): QueueOptions => ({ connection: connect({ url }, role), prefix });
  return {
    sender: () => {
      const sender = new CommandSender(options('queue'), Date.now, ignore);
      open.push(sender);
      return sender;
    },
    worker: (handle) => {
      const worker = new CommandWorker(options('worker'), Date.now, handle, ignore);
      open.push(worker);
      return worker;
    },
  };
}

const refresh = (version: number): Command => ({ verb: 'refresh', ownerId: 'gw/1 ü', version });

describe('a command', () => {
  test('is carried out by the worker of another node, and answered to its sender', async () => {
    const heard: Command[] = [];
    const { sender, worker } = cluster();
    await worker((command) => {
      heard.push(command);
      return Promise.resolve(command.verb === 'restart' ? { ok: false, code: 'TPS0029' } : { ok: true, version: command.version + 1 });
    }).start();
    const [one, other] = [sender(), sender()];
    expect(await Promise.all([one.send(refresh(7), 5_000), other.send(refresh(8), 5_000), one.send({ verb: 'restart', ownerId: 'a' }, 5_000)])).toEqual([
      { ok: true, version: 8 },
      { ok: true, version: 9 },
      { ok: false, code: 'TPS0029' },
    ]);
    expect(heard).toHaveLength(3);
    expect(heard).toContainEqual(refresh(7));
  });

  test('sent many times at once is answered each time, soon after it was done', async () => {
    const { sender, worker } = cluster();
    await worker((command) => Promise.resolve({ ok: true, version: command.verb === 'refresh' ? command.version : 0 })).start();
    const one = sender();
    await one.send(refresh(0), 5_000);
    const results = await Promise.all(Array.from({ length: 50 }, (_, i) => timed(() => one.send(refresh(i), 5_000))));
    expect(results.map(({ value }) => value)).toEqual(Array.from({ length: 50 }, (_, i) => ({ ok: true, version: i })));
    expect(Math.max(...results.map(({ ms }) => ms))).toBeLessThan(3_000);
  });

  test('that no master takes ends in time, and is not carried out by one that comes later', async () => {
    const carriedOut: Command[] = [];
    const { sender, worker } = cluster();
    const one = sender();
    const { ms, error } = await timed(() => one.send(refresh(1), 300));
    expect(error).toBeInstanceOf(Error);
    expect(ms).toBeGreaterThanOrEqual(299);
    expect(ms).toBeLessThan(1_000);
    await worker((command) => {
      carriedOut.push(command);
      return Promise.resolve({ ok: true, version: 1 });
    }).start();
    expect(await one.send(refresh(2), 5_000)).toEqual({ ok: true, version: 1 });
    expect(carriedOut).toEqual([refresh(2)]);
  });

  test('that no master takes up ends before its full time, and one that was taken up has all of it', async () => {
    const { sender, worker } = cluster();
    const { ms, error } = await timed(() => sender().send(refresh(1), 20_000, 200));
    expect(error).toBeInstanceOf(Error);
    expect(ms).toBeLessThan(5_000);
    await worker(() => delay(1_500, { ok: true, version: 1 })).start();
    expect(await sender().send(refresh(2), 20_000, 900)).toEqual({ ok: true, version: 1 });
  });

  test('that waited while Redis was frozen is not carried out when it thaws, after its sender gave up', async () => {
    const own = await startRedis();
    const carriedOut: Command[] = [];
    const { sender, worker } = cluster(own.url);
    await worker((command) => {
      carriedOut.push(command);
      return Promise.resolve({ ok: true, version: 1 });
    }).start();
    const one = sender();
    await one.send(refresh(1), 5_000);
    own.freeze();
    const { ms, error } = await timed(() => one.send(refresh(2), 300));
    expect(error).toBeInstanceOf(Error);
    expect(ms).toBeLessThan(1_000);
    own.thaw();
    expect(await one.send(refresh(3), 5_000)).toEqual({ ok: true, version: 1 });
    expect(carriedOut).toEqual([refresh(1), refresh(3)]);
    await own.remove();
  });

  test('whose handler fails is an error for its sender, which does not tell what it was', async () => {
    const { sender, worker } = cluster();
    await worker(() => Promise.reject(new Error('a detail of the master'))).start();
    const { error } = await timed(() => sender().send(refresh(1), 5_000));
    expect(String(error)).not.toContain('detail');
  });

  test('under way when its worker stops is still answered', async () => {
    const { sender, worker } = cluster();
    const begun = Promise.withResolvers<undefined>();
    const ended = Promise.withResolvers<CommandResult>();
    const master = worker(() => {
      begun.resolve(undefined);
      return ended.promise;
    });
    await master.start();
    const answer = sender().send(refresh(1), 5_000);
    await begun.promise;
    expect((await timed(() => master.stop())).ms).toBeLessThan(500);
    ended.resolve({ ok: true, version: 9 });
    expect(await answer).toEqual({ ok: true, version: 9 });
  });

  test('that a master had begun with before it fell silent is carried out by the next one, for its sender is waiting still', async () => {
    const prefix = `{test-${String(++prefixes)}:refresh}`;
    const proxy = await startTcpProxy(Number(new URL(redis().url).port));
    const begun = Promise.withResolvers<undefined>();
    const dead = cluster(`redis://127.0.0.1:${proxy.port}`, prefix).worker(() => {
      begun.resolve(undefined);
      return new Promise(() => undefined);
    });
    const { sender, worker } = cluster(redis().url, prefix);
    await dead.start();
    const answer = sender().send(refresh(1), 25_000, 1000);
    await begun.promise;
    proxy.blackHole('both');
    await worker(() => Promise.resolve({ ok: true, version: 2 })).start();
    expect(await answer).toEqual({ ok: true, version: 2 });
    await proxy.cut();
  }, 30_000);

  test('that Redis lost ends at once instead of in its full time', async () => {
    const own = await startRedis();
    const one = cluster(own.url).sender();
    const waiting = timed(() => one.send(refresh(1), 10_000));
    const client = connect({ url: own.url }, 'write');
    await vi.waitFor(async () => { expect(await client.dbsize()).toBeGreaterThan(0); });
    await client.flushall();
    expect((await waiting).error).toBeInstanceOf(Error);
    expect((await waiting).ms).toBeLessThan(3_000);
    await own.remove();
  });
});

describe('without Redis', () => {
  test('a command ends long before its full time, for its sender may soon be the master itself', async () => {
    const own = await startRedis();
    await own.stop();
    const { ms, error } = await timed(() => cluster(own.url).sender().send(refresh(1), 30_000));
    expect(error).toBeInstanceOf(Error);
    expect(ms).toBeLessThan(6_000);
    await own.remove();
  });

  test('a worker that stopped leaves no connection behind when Redis is back', async () => {
    const own = await startRedis();
    const { worker, sender } = cluster(own.url);
    const carriedOut: Command[] = [];
    const one = worker((command) => {
      carriedOut.push(command);
      return Promise.resolve({ ok: true, version: 1 });
    });
    const other = sender();
    for (let term = 0; term < 3; term++) {
      await one.start();
      await vi.waitFor(async () => { expect(await other.send(refresh(term), 2_000)).toEqual({ ok: true, version: 1 }); }, 10_000);
      await own.kill();
      await one.stop();
      await own.restart();
    }
    const client = connect({ url: own.url }, 'write');
    const before = carriedOut.length;
    await vi.waitFor(async () => {
      const names = String(await client.client('LIST')).trim().split('\n');
      // The sender's, the worker's own, and the one that asks.
      expect(names).toHaveLength(3);
    }, { timeout: 10_000, interval: 200 });
    await expect(other.send(refresh(9), 300)).rejects.toThrow();
    expect(carriedOut).toHaveLength(before);
    await own.remove();
  });

  test('a command ends in time, and its sender closes', async () => {
    const one = cluster('redis://127.0.0.1:1').sender();
    const { ms, error } = await timed(() => one.send(refresh(1), 400));
    expect(error).toBeInstanceOf(Error);
    expect(ms).toBeLessThan(1_000);
    expect((await timed(() => one.close())).ms).toBeLessThan(500);
  });

  test('a sender that never sent closes, and a worker stops', async () => {
    const { sender, worker } = cluster('redis://127.0.0.1:1');
    await sender().close();
    const one = worker(() => Promise.resolve({ ok: true, version: 1 }));
    await one.stop();
    await one.start();
    await delay(100);
    expect((await timed(() => one.stop())).ms).toBeLessThan(500);
  });
});
