import { StoreUnavailable } from '../domain/errors.ts';
import { callRedis, type ObserveCall } from './call.ts';
import type { RedisClient } from './connection.ts';

/** Answers of token endpoints, and word that a refresh token was not used, on their way into the system of record: sealed, by attempt id. */
export class PendingAnswers {
  readonly #redis: RedisClient;
  readonly #key: string;
  readonly #observe: ObserveCall;

  constructor(redis: RedisClient, prefix: string, observe: ObserveCall = () => undefined) {
    this.#redis = redis;
    this.#key = `${prefix}:{pending}`;
    this.#observe = observe;
  }

  async put(attempt: string, sealed: string): Promise<void> {
    await callRedis('pending.put', this.#observe, () => this.#redis.hset(this.#key, attempt, sealed));
  }

  async all(): Promise<Record<string, string>> {
    return callRedis('pending.all', this.#observe, () => this.#redis.hgetall(this.#key));
  }

  /** Where Redis is away it is forgotten by whoever reads it next. */
  async forget(attempt: string): Promise<void> {
    try {
      await callRedis('pending.forget', this.#observe, () => this.#redis.hdel(this.#key, attempt));
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }
}
