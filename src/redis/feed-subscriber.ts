import type { Service } from '../runtime/lifecycle.ts';
import type { Logger } from '../runtime/log.ts';
import type { RedisClient } from './connection.ts';
import { feedChannel } from './feed.ts';
import { decodeMessage, type FeedMessage, type Numbered } from './feed-message.ts';

/** `gap`: a number was missing; `silence`: nothing was heard for too long; `reconnect`: the connection was lost. */
export type Break = 'gap' | 'silence' | 'reconnect';

export interface FeedListener {
  onMessage(message: FeedMessage): void;
  /** Messages may have been lost before now. */
  onGap(why: Break): void;
}

/** How long a connection may be silent before it is made anew, ms: the server may hang, and another have taken its place. */
const reconnectAfterMs = 3000;

/** How long the feed may be silent before it counts as broken, ms; the master sends a heartbeat three times as often. */
export const silenceMs = 1500;

/** Receives the feed. It is `healthy` while it is subscribed and the master is heard. */
export class FeedSubscriber implements Service {
  readonly name = 'feed';
  readonly #redis: RedisClient;
  readonly #channel: string;
  readonly #listener: FeedListener;
  readonly #logger: Logger;
  readonly #numbers = new Map<string, number>();
  #heardAt = -Infinity;
  #silentSince = performance.now();
  #watch: NodeJS.Timeout | undefined;
  #wasHealthy = false;
  #stopped = false;

  constructor(redis: RedisClient, prefix: string, listener: FeedListener, logger: Logger) {
    this.#redis = redis;
    this.#channel = feedChannel(prefix);
    this.#listener = listener;
    this.#logger = logger;
  }

  get healthy(): boolean {
    return performance.now() - this.#heardAt < silenceMs;
  }

  /** ms since the last message; Infinity where none was heard. */
  get silentForMs(): number {
    return performance.now() - this.#heardAt;
  }

  /** Subscribes in the background: a Redis that is away must not hold up the start. */
  async start(): Promise<void> {
    this.#redis.on('message', (_channel: string, text: string) => this.#receive(text));
    this.#redis.on('ready', () => (this.#silentSince = performance.now()));
    this.#redis.on('close', () => this.#lost('reconnect'));
    this.#watch = setInterval(() => this.#checkSilence(), silenceMs / 3);
    this.#redis.subscribe(this.#channel).catch((error: unknown) => this.#logger.warn({ error: String(error) }, 'The feed could not be subscribed'));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#watch);
    this.#redis.disconnect();
  }

  #receive(text: string): void {
    const numbered = this.#stopped ? undefined : decodeMessage(text);
    if (!numbered) return;
    if (!this.healthy) this.#listener.onGap('silence');
    this.#heardAt = this.#silentSince = performance.now();
    this.#wasHealthy = true;
    this.#count(numbered);
    this.#handOn(numbered.message);
  }

  /** A message that cannot be dealt with, such as one that a newer version sent, is as good as lost. */
  #handOn(message: FeedMessage): void {
    try {
      this.#listener.onMessage(message);
    } catch (error) {
      this.#logger.warn({ kind: message.kind, error }, 'A message of the feed could not be dealt with');
      this.#listener.onGap('gap');
    }
  }

  #count({ stream, number }: Numbered): void {
    const last = this.#numbers.get(stream);
    this.#numbers.delete(stream);
    this.#numbers.set(stream, number);
    if (last !== undefined && number !== last + 1) this.#listener.onGap('gap');
    if (last === undefined && number !== 1) this.#listener.onGap('gap');
    if (this.#numbers.size > 1000) this.#numbers.delete(this.#numbers.keys().next().value ?? '');
  }

  #checkSilence(): void {
    if (this.#wasHealthy && !this.healthy) this.#lost('silence');
    if (performance.now() - this.#silentSince > reconnectAfterMs && this.#redis.status === 'ready') this.#redis.disconnect(true);
  }

  #lost(why: Break): void {
    if (this.#stopped) return;
    this.#heardAt = -Infinity;
    if (this.#wasHealthy) this.#logger.info({ why }, 'The feed was interrupted');
    this.#wasHealthy = false;
    this.#listener.onGap(why);
  }
}
