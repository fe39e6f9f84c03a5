import type { Config } from '../config/config.ts';
import { clusterKey } from '../mysql/cluster-key.ts';
import { openDatabase, type Database } from '../mysql/connection.ts';
import { OutcomeTable } from '../mysql/outcomes.ts';
import { OwnerTable } from '../mysql/owners.ts';
import { PoolChanges } from '../mysql/pool-changes.ts';
import { prepareDatabase } from '../mysql/prepare.ts';
import { TokenSealing } from '../mysql/token-sealing.ts';
import { TokenTable } from '../mysql/tokens.ts';
import { connectRedis, type RedisClient } from '../redis/connection.ts';
import type { RedisRole } from '../redis/endpoint.ts';
import { ServiceError } from '../domain/errors.ts';
import { Fingerprints, KeyRing, transitKeys, type RingKey } from '../runtime/key-ring.ts';
import type { Logging } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { databaseOptions } from './database-options.ts';

/** The system of record, opened and checked, with its tables and the keys that belong to it. */
export interface Stores {
  readonly db: Database;
  readonly owners: OwnerTable;
  readonly tokens: TokenTable;
  readonly outcomes: OutcomeTable;
  readonly changes: PoolChanges;
  readonly prints: Fingerprints;
  /** For what leaves the database. */
  readonly transit: { readonly keys: readonly RingKey[]; readonly activeId: string | undefined; readonly ring: KeyRing };
  readonly redis: (role: RedisRole) => RedisClient;
  readonly disconnect: () => void;
}

/**
 * @throws SchemaOutdated, StoreUnavailable
 * @throws ServiceError TPS0006 where there is no valid owner
 */
export async function openStores(config: Config, logging: Logging, metrics: Metrics): Promise<Stores> {
  const logger = logging.logger('mysql');
  const db = openDatabase({ ...databaseOptions(config), observe: (operation, seconds, ok) => metrics.storeAnswered('mysql', operation, ok, seconds) }, logger);
  try {
    await prepareDatabase(db, config.startup.storeTimeout, logger, config.isMaster);
    return await tablesOf(db, config, logging);
  } catch (error) {
    await db.close();
    throw error;
  }
}

async function tablesOf(db: Database, config: Config, logging: Logging): Promise<Stores> {
  const { keys, activeKey } = config.sealing;
  const ring = new KeyRing(keys, activeKey);
  const key = await clusterKey(db, ring);
  const prints = new Fingerprints(key);
  const sealing = new TokenSealing(ring);
  const owners = new OwnerTable({ retryMax: config.refresh.defaultRetryMax, retryDelayMs: config.refresh.defaultRetryDelay });
  if ((await owners.countValid(db)) === 0) throw new ServiceError('TPS0006');
  const transit = transitKeys(keys, key);
  return {
    db,
    owners,
    tokens: new TokenTable(sealing, prints, logging.logger('mysql')),
    outcomes: new OutcomeTable(db, sealing),
    changes: new PoolChanges(db),
    prints,
    transit: { keys: transit, activeId: activeKey, ring: new KeyRing(transit, activeKey) },
    ...redisConnections(config, logging),
  };
}

function redisConnections(config: Config, logging: Logging): Pick<Stores, 'redis' | 'disconnect'> {
  const opened: RedisClient[] = [];
  return {
    redis: (role) => {
      const client = connectRedis(config.redis, role, logging.logger('redis'));
      opened.push(client);
      return client;
    },
    disconnect: () => opened.forEach((client) => client.disconnect()),
  };
}
