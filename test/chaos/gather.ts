import type { ReadsReport } from '../harness/readers.ts';
import type { Diary } from './diary.ts';
import type { Evidence } from './evidence.ts';
import { redisPrefix, type Observers } from './observers.ts';
import type { World } from './world/world.ts';

/**
 * What a cluster and those who watched it leave to be compared.
 * @param reads once the readers have stopped, or so far
 * @param settledAt by when all must have converged, epoch ms
 */
export function gather(world: World, diary: Diary, observers: Observers, reads: ReadsReport, settledAt = Date.now()): Evidence {
  const { population, record, members, journalFolders, seenOnDisk, nodePassword } = world;
  return {
    providers: Object.values(population.providers),
    grants: population.grants,
    record,
    redis: observers.redis,
    redisPrefix,
    nodePassword,
    journalFolders,
    seenOnDisk,
    reads,
    watched: observers.watched,
    answers: observers.log.answers,
    nobodyUp: [...diary.nobody, ...observers.presence.nobodyUp],
    courierDeaths: diary.courierDeaths,
    nodeDeaths: diary.nodeDeaths,
    answerLosses: [],
    redisTroubles: diary.redisTroubles,
    poolWatch: observers.sampler,
    get logs() { return members.flatMap(({ node }) => node.logs); },
    stopNodes: async () => { await Promise.all(world.nodes.map((node) => node.stop())); },
    settledAt,
  };
}
