import { readFileSync } from 'node:fs';

import { advise } from './assembly/advice.ts';
import type { Ground } from './assembly/ground.ts';
import { buildMaster } from './assembly/master.ts';
import { courierSetup, mailServer, onQueueError, queueOptions, waitRules } from './assembly/settings.ts';
import { openStores, type Stores } from './assembly/stores.ts';
import { buildVerbs, type Verbs } from './assembly/verbs.ts';
import { buildListeners } from './assembly/ways-in.ts';
import { childEnvironment } from './config/child-environment.ts';
import type { Config } from './config/config.ts';
import type { PoolVerbs } from './http/pool-verbs.ts';
import type { Elector } from './leader/elector.ts';
import { Notifier } from './mail/notifier.ts';
import { keepWarm } from './mysql/keep-warm.ts';
import { readDatabaseTime } from './mysql/database-time.ts';
import { Courier } from './oauth/courier.ts';
import { TokenAcquirer } from './pool/acquire-token.ts';
import { MasterCommands } from './pool/master-commands.ts';
import { NearCache } from './pool/near-cache.ts';
import { JournalReplay } from './pool/replay-journal.ts';
import type { Term } from './pool/term.ts';
import { TokenLookup } from './pool/token-lookup.ts';
import { WarmUp } from './pool/warm-up.ts';
import { CommandSender } from './queue/command-queue.ts';
import { RefreshQueue } from './queue/refresh-queue.ts';
import { FeedSubscriber } from './redis/feed-subscriber.ts';
import { FeedPublisher } from './redis/feed.ts';
import type { FeedMessage } from './redis/feed-message.ts';
import { LivePool } from './redis/live-pool.ts';
import { LiveTokenCode } from './redis/live-token-code.ts';
import { PendingAnswers } from './redis/pending.ts';
import { ClusterClock } from './runtime/clock.ts';
import { atStart, atStop, Lifecycle, Repeating, together, type Service } from './runtime/lifecycle.ts';
import type { Logging } from './runtime/logger.ts';
import { Metrics } from './runtime/metrics.ts';
import { Readiness } from './runtime/readiness.ts';

export const version = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;

const clockEveryMs = 10_000;
/** What this node recorded as master and Redis did not take is published, whoever is master now. */
const publishMissedEveryMs = 500;
/** To MySQL, that wait for this node to become master. */
const standbyConnections = 3;

/** The whole service. A stop takes `longestStopMs` at most, unless a part hangs. */
export interface TokenPoolService extends Service {
  /** A stop, under way or to come, does not wait for balancers to notice. */
  hurry(): void;
}

/** ms for the answers that the courier brought last to be recorded; they are kept in journal and Redis. */
const lastAnswersMs = 2000;

/**
 * Opens the stores and makes every object of the service.
 * @throws where the service cannot start; the message says what to do
 */
export async function createService(config: Config, logging: Logging): Promise<TokenPoolService> {
  const metrics = new Metrics({ version, ownerLabels: config.metrics.ownerLabels, refreshLeadMs: config.refreshWakeUpLeadTime });
  const stores = await openStores(config, logging, metrics);
  const clock = new ClusterClock();
  await followDatabase(stores, clock);
  const ground = buildGround(config, logging, metrics, stores, clock);
  const verbs = buildVerbs(ground);
  const elector = config.isMaster ? buildMaster(ground, verbs) : undefined;
  const warmUp = new WarmUp({ record: verbs.record, cache: ground.cache, feedHealthy: () => ground.feedState.healthy(), patienceMs: config.startup.storeTimeout, clock, logger: logging.logger('service') });
  const subscriber = buildSubscriber(ground, warmUp, () => elector?.standNow());
  metrics.readFrom({ tokens: () => ({ now: clock.now(), owners: ground.cache.expiries() }), nearCache: () => ground.cache.trust(), wallClockAheadMs: () => clock.wallClockAhead() });
  return inOrder(ground, verbs, elector, subscriber, warmUp);
}

/**
 * Everything in the order of its start; it stops in reverse: not ready, lease handed over, balancers have noticed, callers answered and refreshes
 * ended, courier ended. A node that never stands for election neither sends nor writes.
 */
function inOrder(ground: Ground, verbs: Verbs, elector: Elector | undefined, subscriber: FeedSubscriber, warmUp: WarmUp): TokenPoolService {
  const { config, logging, metrics, stores, clock, queue, writes } = ground;
  const log = logging.logger('service');
  const failed = (what: string) => (error: unknown): void => log.warn({ error }, `${what} failed; trying again`);
  const sender = new CommandSender(queueOptions(ground, 'queue'), () => clock.now(), onQueueError(ground));
  const replay = new JournalReplay({ ...stores, folder: config.journal.folder, ring: stores.transit.ring, ...verbs, logger: logging.logger('journal'), metrics });
  const readiness = new Readiness(config.http.shutdownDelay);
  const term = (): Term | undefined => elector?.term;
  const isReady = (): Readiness['answer'] => readiness.answer;
  metrics.readFrom({ isReady: () => isReady().ready });
  const { application, admin } = buildListeners({ ...ground, version, verbs: waysToVerbs(ground, verbs, sender, term), db: stores.db, redis: ground.reads, feed: subscriber, term, isReady });
  const attemptsEnd = (name: string, ms: number): Service => atStop(name, () => within(ms, verbs.attempts.ended()));
  const lifecycle = new Lifecycle('token pool service', [
    atStop('stores', () => closeStores(ground)),
    atStop('queues', async () => { await Promise.all([sender.close(), queue.close()]); }),
    ...(elector ? [keepWarm(stores.db, standbyConnections, () => term() === undefined), ground.notifier, verbs.lapses, attemptsEnd('last answers', lastAnswersMs), ground.courier] : []),
    subscriber,
    atStart('advice', () => advise(config, writes, log)),
    new Repeating('clock', () => clockEveryMs, () => followDatabase(stores, clock), failed('Reading the time of the database')),
    warmUp,
    ...(elector ? [new Repeating('missed publications', () => publishMissedEveryMs, (signal) => verbs.publisher.retry(signal), failed('Publishing what Redis had missed')), new Repeating('journal', () => replay.pauseMs, (signal) => replay.replay(signal), failed('Replaying the journal'))] : []),
    ...admin,
    together('callers and refreshes', [...application, attemptsEnd('attempts', config.http.shutdownGrace)]),
    atStop('balancers', () => readiness.untilNoticed()),
    ...(elector ? [elector] : []),
    atStop('kept connections', () => { for (const listener of [...application, ...admin]) listener.retire(); }),
    readiness,
  ], (name, error) => log.warn({ name, error }, 'A part did not stop cleanly'));
  return { name: lifecycle.name, start: () => lifecycle.start(), stop: () => lifecycle.stop(), hurry: () => readiness.hurry() };
}

function buildGround(config: Config, logging: Logging, metrics: Metrics, stores: Stores, clock: ClusterClock): Ground {
  const prefix = config.redis.keyPrefix;
  const observe = (operation: string, seconds: number, ok: boolean): void => metrics.storeAnswered('redis', operation, ok, seconds);
  const [reads, writes] = [stores.redis('read'), stores.redis('write')];
  const code = new LiveTokenCode(stores.transit.ring);
  const feedState = { healthy: (): boolean => false };
  return {
    config,
    logging,
    metrics,
    clock,
    stores,
    reads,
    writes,
    feedState,
    cache: new NearCache(clock, () => feedState.healthy()),
    livePool: new LivePool(reads, writes, prefix, code, observe, (owner, slot, error) => logging.logger('redis').warn({ owner, slot, reason: error.message }, 'A token in the live pool cannot be read')),
    feed: new FeedPublisher(writes, prefix, observe),
    code,
    pending: new PendingAnswers(writes, prefix, observe),
    queue: new RefreshQueue(queueOptions({ config, stores }, 'queue'), () => clock.now(), onQueueError({ logging })),
    courier: new Courier(courierSetup(config, stores), logging.logger('courier'), childEnvironment(), {
      onFault: (fault) => (fault === 'journal' ? metrics.journalFailed('append') : metrics.tokenLost()),
      onRestart: () => metrics.courierRestarted(),
    }),
    notifier: new Notifier(mailServer(config), logging.logger('mail'), { onOutcome: (outcome) => metrics.mailEnded(outcome) }),
  };
}

function buildSubscriber({ config, stores, cache, code, logging, metrics, feedState }: Ground, warmUp: WarmUp, standNow: () => void): FeedSubscriber {
  const subscriber = new FeedSubscriber(stores.redis('subscriber'), config.redis.keyPrefix, {
    onMessage: (message) => hear(message, cache, code, standNow, metrics),
    onGap: (why) => {
      cache.suspectAll();
      warmUp.missed();
      metrics.feedBroken(why);
    },
  }, logging.logger('feed'));
  feedState.healthy = () => subscriber.healthy;
  return subscriber;
}

async function closeStores({ stores }: Ground): Promise<void> {
  stores.disconnect();
  await stores.db.close();
}

/** Gives `work` this long, ms: a store that is away must not keep the process from ending. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(resolve, ms, null);
  await Promise.race([work, late]);
  clearTimeout(timer);
}

function waysToVerbs({ config, stores, cache, livePool, clock, logging, metrics }: Ground, verbs: Verbs, sender: CommandSender, term: () => Term | undefined): PoolVerbs {
  const lookup = new TokenLookup({ livePool, ...stores }, cache, clock, logging.logger('pool.acquire'));
  const acquirer = new TokenAcquirer(cache, lookup, waitRules(config), clock, metrics);
  const commands = new MasterCommands({ ...stores, handler: verbs.handler, sender, clock, term });
  return {
    peek: (ownerId) => {
      const token = cache.peek(ownerId);
      if (token !== undefined) metrics.servedFromMemory();
      return token;
    },
    acquire: (ownerId, signal) => acquirer.acquire(ownerId, signal),
    restart: (ownerId) => commands.restart(ownerId),
    refresh: (ownerId, tokenId) => commands.refresh(ownerId, tokenId),
  };
}

function hear(message: FeedMessage, cache: NearCache, code: LiveTokenCode, standNow: () => void, metrics: Metrics): void {
  switch (message.kind) {
    case 'token': {
      const token = code.decode(message.owner, message.slot, message.value);
      if (token) cache.hear(message.owner, token);
      return;
    }
    case 'owner':
      return cache.suspect(message.owner);
    case 'beat':
      return metrics.epochSeen(message.epoch);
    case 'vacant':
      return standNow();
  }
}

async function followDatabase({ db }: Stores, clock: ClusterClock): Promise<void> {
  const askedAt = clock.monotonic();
  const now = await readDatabaseTime(db);
  clock.follow(now, askedAt, clock.monotonic());
}
