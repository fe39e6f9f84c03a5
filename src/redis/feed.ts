import { randomBytes } from 'node:crypto';

import { callRedis, type ObserveCall } from './call.ts';
import type { RedisClient } from './connection.ts';
import { encodeMessage, type FeedMessage } from './feed-message.ts';
import { defineScripts } from './scripts.ts';

/** Sends messages to every node. */
export class FeedPublisher {
  readonly #redis: RedisClient;
  readonly #channel: string;
  readonly #observe: ObserveCall;
  readonly #stream = randomBytes(6).toString('hex');
  #number = 0;

  constructor(redis: RedisClient, prefix: string, observe: ObserveCall) {
    this.#redis = redis;
    this.#channel = feedChannel(prefix);
    this.#observe = observe;
    defineScripts(redis);
  }

  /** A message that could not be sent leaves a gap in the numbers, which readers notice. @throws StoreUnavailable */
  async publish(message: FeedMessage): Promise<void> {
    const text = encodeMessage({ stream: this.#stream, number: ++this.#number, message });
    await callRedis('feed.publish', this.#observe, () => this.#redis.publishInOrder(this.#channel, text));
  }
}

export function feedChannel(prefix: string): string {
  return `${prefix}:feed`;
}
