import type { Config, RedisConfig } from '../config/config.ts';
import type { CourierSetup } from './courier-setup.ts';
import { Secret } from '../domain/secret.ts';
import type { MailServer } from '../mail/transport.ts';
import type { WaitRules } from '../pool/acquire-token.ts';
import type { QueueOptions } from '../queue/refresh-queue.ts';
import type { Logging } from '../runtime/logger.ts';
import { databaseOptions } from './database-options.ts';
import type { Stores } from './stores.ts';

interface QueueGround {
  readonly config: { readonly redis: Pick<RedisConfig, 'keyPrefix'> };
  readonly stores: Pick<Stores, 'redis'>;
}

/** @param role `worker` may block, `queue` gives up */
export function queueOptions({ config, stores }: QueueGround, role: 'queue' | 'worker'): QueueOptions {
  return { connection: stores.redis(role), prefix: `{${config.redis.keyPrefix}:refresh}` };
}

export function onQueueError({ logging }: { logging: Logging }): (error: Error) => void {
  const logger = logging.logger('queue');
  return (error) => logger.debug({ reason: error.message }, 'The queue reports a failure');
}

export function waitRules({ waitingTimeForToken, retryAttempt, isMaster, tokenReadretrAfter, tokenReadretrAttempts }: Config): WaitRules {
  const longestMs = waitingTimeForToken * retryAttempt;
  return isMaster ? { longestMs, lookEveryMs: 1000, looks: Infinity } : { longestMs, lookEveryMs: tokenReadretrAfter, looks: tokenReadretrAttempts };
}

export function courierSetup(config: Config, stores: Stores): CourierSetup {
  const { connectTimeout, requestTimeout, caFile } = config.refresh;
  return {
    send: { connectTimeoutMs: connectTimeout, answerTimeoutMs: requestTimeout, extraCaFile: caFile },
    journalFolder: config.journal.folder,
    database: { ...databaseOptions(config), connectionLimit: Math.min(4, config.database.connectionLimit) },
    redis: { endpoint: config.redis, prefix: config.redis.keyPrefix },
    ring: { keys: stores.transit.keys, activeId: stores.transit.activeId },
  };
}

/** For what no setting bounds: keeping and recording answers, mails, and stores that do not answer, ms. */
const farewellMs = 30_000;

/** The longest that a stop may take, ms: what is not done by then is left. */
export function longestStopMs({ http, refresh }: Config): number {
  return http.shutdownDelay + http.shutdownGrace + refresh.connectTimeout + refresh.requestTimeout + farewellMs;
}

export function mailServer({ tslMailConfig: mail }: Config): MailServer {
  return {
    host: mail.host ?? '',
    port: mail.port,
    username: mail.username ?? '',
    password: mail.password ?? new Secret(''),
    startTls: mail.isStarttlsEnable,
    authenticates: mail.isAuth,
    from: mail.from ?? '',
  };
}
