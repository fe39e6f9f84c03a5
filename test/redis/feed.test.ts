import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { StoreUnavailable } from '../../src/domain/errors.ts';
import type { RedisClient } from '../../src/redis/connection.ts';
import { FeedPublisher, feedChannel } from '../../src/redis/feed.ts';
import { decodeMessage, encodeMessage, type FeedMessage } from '../../src/redis/feed-message.ts';
import { FeedSubscriber, silenceMs, type FeedListener } from '../../src/redis/feed-subscriber.ts';
import { startTcpProxy } from '../harness/tcp-proxy.ts';
import { useRedis } from '../harness/redis.ts';
import { startRedis } from '../harness/stores.ts';
import { silent, untilReady, useClients } from './clients.ts';

const redis = useRedis();
const connect = useClients();
const ignore = (): void => undefined;
const beat: FeedMessage = { kind: 'beat', epoch: 1 };
const token: FeedMessage = { kind: 'token', owner: 'gw/1 ü', slot: 'a', value: '1:0:r:5:sealed' };

let heard: FeedMessage[];
let breaks: string[];
let subscribers: FeedSubscriber[];

beforeEach(() => { [heard, breaks, subscribers] = [[], [], []]; });
afterEach(async () => { await Promise.all(subscribers.map((subscriber) => subscriber.stop())); });

/** A node that listens, once the feed reached it. */
async function listening(url = redis().url, listener: Partial<FeedListener> = {}): Promise<FeedSubscriber> {
  const subscriber = new FeedSubscriber(connect({ url }, 'subscriber'), 'tps', { onMessage: (message) => { heard.push(message); }, onGap: (why) => { breaks.push(why); }, ...listener }, silent);
  subscribers.push(subscriber);
  await subscriber.start();
  return subscriber;
}

async function publisher(url = redis().url): Promise<FeedPublisher> {
  return new FeedPublisher(await untilReady(connect({ url }, 'write')), 'tps', ignore);
}

/** Beats until the subscriber is there to hear it; what was noticed until then is forgotten. */
async function beating(): Promise<{ subscriber: FeedSubscriber; master: FeedPublisher }> {
  const [subscriber, master] = [await listening(), await publisher()];
  await vi.waitFor(async () => {
    await master.publish(beat);
    expect(subscriber.healthy).toBe(true);
  }, { timeout: 5_000, interval: 20 });
  await master.publish({ kind: 'owner', owner: 'the last of these' });
  await vi.waitFor(() => { expect(heard.at(-1)).toMatchObject({ owner: 'the last of these' }); });
  [heard, breaks] = [[], []];
  return { subscriber, master };
}

describe('the feed', () => {
  test('brings every kind of message to every node, in order and without a gap', async () => {
    const { master } = await beating();
    const messages: FeedMessage[] = [token, { kind: 'owner', owner: 'o' }, beat, { kind: 'vacant' }, token];
    for (const message of messages) await master.publish(message);
    await vi.waitFor(() => { expect(heard).toEqual(messages); });
    expect(breaks).toEqual([]);
  });

  test('counts the messages of each process by themselves', async () => {
    const { master } = await beating();
    const other = await publisher();
    for (let i = 0; i < 3; i++) {
      await other.publish(token);
      await master.publish(beat);
    }
    await vi.waitFor(() => { expect(heard).toHaveLength(6); });
    expect(breaks).toEqual([]);
  });

  test('shows the loss of a message by the number of the next', async () => {
    const { master } = await beating();
    const raw = await untilReady(connect({ url: redis().url }, 'write'));
    const send = (number: number): Promise<number> => raw.publish(feedChannel('tps'), encodeMessage({ stream: 'other', number, message: beat }));
    await send(1);
    await send(2);
    await send(4);
    await master.publish(token);
    await vi.waitFor(() => { expect(heard).toHaveLength(4); });
    expect(breaks).toEqual(['gap']);
  });

  test('shows that what came before the first message of a process was lost', async () => {
    await beating();
    const raw = await untilReady(connect({ url: redis().url }, 'write'));
    await raw.publish(feedChannel('tps'), encodeMessage({ stream: 'late', number: 2, message: beat }));
    await vi.waitFor(() => { expect(heard).toHaveLength(1); });
    expect(breaks).toEqual(['gap']);
  });

  test('leaves a gap where a message could not be sent, which is StoreUnavailable', async () => {
    const own = await startRedis();
    const proxy = await startTcpProxy(own.port);
    await listening(own.url);
    const master = await publisher(`redis://127.0.0.1:${String(proxy.port)}`);
    await vi.waitFor(async () => {
      await master.publish(beat);
      expect(heard.length).toBeGreaterThan(0);
    }, { timeout: 5_000, interval: 20 });
    await proxy.cut();
    await vi.waitFor(async () => { await expect(master.publish(token)).rejects.toThrow(StoreUnavailable); });
    await proxy.restore();
    breaks = [];
    await vi.waitFor(async () => { await master.publish(beat); }, { timeout: 5_000, interval: 50 });
    await vi.waitFor(() => { expect(breaks).toContain('gap'); });
    await Promise.all([proxy.stop(), own.remove()]);
  });

  test('takes no notice of what is no message of it', async () => {
    const { master } = await beating();
    const raw = await untilReady(connect({ url: redis().url }, 'write'));
    for (const text of ['', 'null', '{', '1', '{"stream":1}', '{"stream":"s","number":"1","message":{"kind":"beat"}}', '{"stream":"s","number":1}']) {
      expect(decodeMessage(text)).toBeUndefined();
      await raw.publish(feedChannel('tps'), text);
    }
    await master.publish(token);
    await vi.waitFor(() => { expect(heard).toEqual([token]); });
    expect(breaks).toEqual([]);
  });

  test('goes on after a listener that failed, and counts the message as lost', async () => {
    let failing = true;
    const subscriber = await listening(redis().url, {
      onMessage: (message) => {
        if (failing) throw new Error('this message cannot be dealt with');
        heard.push(message);
      },
    });
    const master = await publisher();
    await vi.waitFor(async () => {
      await master.publish(beat);
      expect(subscriber.healthy).toBe(true);
    }, { timeout: 5_000, interval: 20 });
    breaks = [];
    await master.publish(token);
    await vi.waitFor(() => { expect(breaks).toContain('gap'); });
    failing = false;
    await master.publish(token);
    await vi.waitFor(() => { expect(heard).toContainEqual(token); });
  });
});

describe('a break of the feed', () => {
  test('by silence is noticed within 2.5 s, and what follows is not taken for whole', async () => {
    const { subscriber, master } = await beating();
    const quietSince = performance.now();
    await vi.waitFor(() => { expect(breaks).toEqual(['silence']); }, { timeout: 4_000, interval: 20 });
    expect(performance.now() - quietSince).toBeGreaterThanOrEqual(silenceMs - 100);
    expect(performance.now() - quietSince).toBeLessThan(2_700);
    expect(subscriber.healthy).toBe(false);
    expect(subscriber.silentForMs).toBe(Infinity);
    await master.publish(token);
    await vi.waitFor(() => { expect(heard).toEqual([token]); });
    expect(breaks).toEqual(['silence', 'silence']);
    expect(subscriber.healthy).toBe(true);
  });

  test('by a Redis that froze is noticed as silence, though no connection ended', async () => {
    const own = await startRedis();
    const subscriber = await listening(own.url);
    const master = await publisher(own.url);
    await vi.waitFor(async () => {
      await master.publish(beat);
      expect(subscriber.healthy).toBe(true);
    }, { timeout: 5_000, interval: 20 });
    breaks = [];
    own.freeze();
    await vi.waitFor(() => { expect(breaks).toEqual(['silence']); }, 4_000);
    own.thaw();
    await own.remove();
  });

  test('by a lost connection is noticed at once, and the feed is heard again without being subscribed anew', async () => {
    const own = await startRedis();
    const subscriber = await listening(own.url);
    let client: RedisClient = await untilReady(connect({ url: own.url }, 'write'));
    const master = new FeedPublisher(client, 'tps', ignore);
    await vi.waitFor(async () => {
      await master.publish(beat);
      expect(subscriber.healthy).toBe(true);
    }, { timeout: 5_000, interval: 20 });
    breaks = [];
    client = await untilReady(connect({ url: own.url }, 'write'));
    await client.call('CLIENT', ['KILL', 'TYPE', 'pubsub']);
    await vi.waitFor(() => { expect(breaks[0]).toBe('reconnect'); }, 1_000);
    await vi.waitFor(async () => {
      await master.publish(beat);
      expect(subscriber.healthy).toBe(true);
    }, { timeout: 5_000, interval: 50 });
    await own.restart();
    await vi.waitFor(() => { expect(subscriber.healthy).toBe(false); }, 1_000);
    await vi.waitFor(async () => {
      await master.publish(beat);
      expect(subscriber.healthy).toBe(true);
    }, { timeout: 8_000, interval: 50 });
    await own.remove();
  });
});

describe('a subscriber', () => {
  test('starts where Redis is away, is not healthy, and hears the feed once Redis is there', async () => {
    const own = await startRedis();
    await own.kill();
    const subscriber = await listening(own.url);
    expect(subscriber.healthy).toBe(false);
    await own.restart();
    const master = await publisher(own.url);
    await vi.waitFor(async () => {
      await master.publish(beat);
      expect(subscriber.healthy).toBe(true);
    }, { timeout: 8_000, interval: 50 });
    await own.remove();
  });

  test('that stopped hears and notices nothing more, and may be stopped twice and before it started', async () => {
    const { subscriber, master } = await beating();
    await subscriber.stop();
    await master.publish(token);
    await subscriber.stop();
    await new FeedSubscriber(connect({ url: redis().url }, 'subscriber'), 'tps', { onMessage: ignore, onGap: ignore }, silent).stop();
    expect(heard).toEqual([]);
    expect(breaks).toEqual([]);
  });
});
