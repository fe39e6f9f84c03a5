import { Repeating } from '../../src/runtime/lifecycle.ts';
import type { RedisClient } from '../../src/redis/connection.ts';
import type { Judgement, TokenJudge } from '../harness/provider/judgement.ts';
import type { Provider } from '../harness/provider/provider.ts';
import { startReaders, type Readers, type ReadsReport } from '../harness/readers.ts';
import { attemptsKept } from './checker/kept-answers.ts';
import { RedisSampler } from './checker/redis-sampler.ts';
import type { Interval } from './evidence.ts';
import { ReadLog } from './read-log.ts';
import { Presence } from './world/presence.ts';
import type { World } from './world/world.ts';

/** Between two looks of the operator at what was lost, ms. */
const operatorEveryMs = 1000;

export const redisPrefix = 'tokenpool';

/** Those who use and watch a cluster while it goes through faults: callers, the operator, samplers of the live pool and of the nodes. */
export class Observers {
  readonly log = new ReadLog();
  readonly readers: Readers;
  readonly redis: RedisClient;
  readonly sampler: RedisSampler;
  readonly presence: Presence;
  readonly #operator: Repeating;
  readonly #begunAt = Date.now();
  #endedAt: number | undefined;

  constructor(world: World, readsPerSecond: number) {
    const { population } = world;
    this.readers = startReaders({ urls: [world.balancer.url], owners: population.owners, ratePerSecond: readsPerSecond, judge: judgeOf(Object.values(population.providers)), onRead: this.log.note });
    this.redis = world.redis.client();
    this.sampler = new RedisSampler(this.redis, redisPrefix, () => population.owners);
    this.presence = new Presence(world.nodes);
    const kept = (): Promise<ReadonlySet<string>> => attemptsKept({ redis: this.redis, redisPrefix, journalFolders: world.journalFolders, seenOnDisk: world.seenOnDisk });
    // While a store is away he cannot do anything either.
    this.#operator = new Repeating('operator', () => operatorEveryMs, async () => { await population.consentAgain(kept); }, () => undefined);
  }

  /** While callers read, or until now. */
  get watched(): Interval {
    return { from: this.#begunAt, until: this.#endedAt ?? Date.now() };
  }

  async start(): Promise<void> {
    this.sampler.start();
    await this.presence.start();
    await this.#operator.start();
  }

  /** What is lost from now on stays lost. */
  async dismissOperator(): Promise<void> {
    await this.#operator.stop();
  }

  async stop(): Promise<ReadsReport> {
    await this.dismissOperator();
    const reads = await this.readers.stop();
    this.#endedAt = Date.now();
    await this.presence.stop();
    await this.sampler.stop();
    return reads;
  }

  disconnect(): void {
    this.redis.disconnect();
  }
}

/** Whoever issued the token. */
function judgeOf(providers: readonly Provider[]): TokenJudge {
  return (token, at) => {
    const judgements = providers.map((provider) => provider.isLive(token, at));
    return judgements.find(({ known, expiresAt }) => known && expiresAt > 0) ?? judgements.find(({ known }) => known) ?? (judgements[0] as Judgement);
  };
}
