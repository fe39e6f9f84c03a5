import { setTimeout as sleep } from 'node:timers/promises';

import type { RedisClient } from '../../../src/redis/connection.ts';

export interface PoolWatch {
  /** Fields that were looked at. */
  readonly samples: number;
  /** Where one was of a lower rank than one seen before, each in a line. */
  readonly stepsBack: readonly string[];
}

interface Rank {
  readonly version: number;
  readonly uc: number;
}

/** Between two rounds over all owners, ms. */
const pauseMs = 250;
/** A Redis that is away, frozen or loading answers nothing: it is looked at again. */
const patienceMs = 1000;

/** Looks at every owner's pool a few times a second. A field that is not there says nothing; one of a lower rank than ever before is noted. */
export class RedisSampler implements PoolWatch {
  readonly stepsBack: string[] = [];
  samples = 0;
  readonly #redis: RedisClient;
  readonly #prefix: string;
  readonly #owners: () => readonly string[];
  readonly #highest = new Map<string, Rank>();
  readonly #end = new AbortController();
  #sampling: Promise<void> | undefined;

  /** @param owners may grow while it runs */
  constructor(redis: RedisClient, prefix: string, owners: () => readonly string[]) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#owners = owners;
  }

  start(): void {
    this.#sampling ??= this.#run(this.#end.signal);
  }

  /** Looks once more, then no more. */
  async stop(): Promise<void> {
    this.#end.abort();
    await this.#sampling;
    await this.look();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look();
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** One round over all owners. */
  async look(): Promise<void> {
    const looks = this.#owners().map(async (owner) => {
      const fields = await this.#read(owner);
      for (const [slot, value] of Object.entries(fields)) this.#note(owner, slot, value);
    });
    await Promise.all(looks);
  }

  async #read(owner: string): Promise<Record<string, string>> {
    const { promise: late, resolve } = Promise.withResolvers<Record<string, string>>();
    const timer = setTimeout(resolve, patienceMs, {});
    const reply = this.#redis.hgetall(poolKey(this.#prefix, owner)).catch(() => ({}));
    try {
      return await Promise.race([reply, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #note(owner: string, slot: string, value: string): void {
    const rank = rankOf(value);
    if (!rank) return;
    this.samples++;
    const key = JSON.stringify([owner, slot]);
    const highest = this.#highest.get(key);
    if (!highest || rank.version > highest.version || (rank.version === highest.version && rank.uc > highest.uc)) this.#highest.set(key, rank);
    else if (rank.version < highest.version || rank.uc < highest.uc) this.stepsBack.push(`${new Date().toISOString()} ${owner}: ${shown(rank)} after ${shown(highest)}`);
  }
}

/** The key of an owner's pool, as `src/redis/live-pool.ts` has it. */
export function poolKey(prefix: string, owner: string): string {
  return `${prefix}:pool:{${encodeURIComponent(owner)}}`;
}

/** `version:uc:phase:expiry:token`. */
export function rankOf(value: string): Rank | undefined {
  const match = /^(\d+):(\d+):[rwgb]:/.exec(value);
  return match ? { version: Number(match[1]), uc: Number(match[2]) } : undefined;
}

function shown({ version, uc }: Rank): string {
  return `version ${version} (update ${uc})`;
}
