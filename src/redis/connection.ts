import { Redis, type Cluster, type RedisOptions } from 'ioredis';

import type { Logger } from '../runtime/log.ts';
import { connectCluster, connectToAnyServer } from './cluster.ts';
import { serverOptions, type RedisEndpoint, type RedisRole } from './endpoint.ts';
import { connectBySentinels } from './sentinel.ts';

export type RedisClient = Redis | Cluster;

/** Opens a connection in the background: a Redis that is away is no error here. */
export function connectRedis(endpoint: RedisEndpoint, role: RedisRole, logger: Logger): RedisClient {
  const client = connect(endpoint, role);
  let down = false;
  client.on('error', (error: Error) => {
    if (!down) logger.warn({ role, error: error.message }, 'Redis is unavailable');
    down = true;
  });
  client.on('ready', () => {
    if (down) logger.info({ role }, 'Redis is available again');
    down = false;
  });
  return client;
}

/** Ends a connection without waiting for a Redis that does not answer. */
export function disconnectRedis(client: RedisClient): void {
  client.disconnect();
}

function connect(endpoint: RedisEndpoint, role: RedisRole): RedisClient {
  const { cluster, sentinels, url = 'redis://127.0.0.1:6379', db } = endpoint;
  // What is published on one server of a Redis Cluster is heard on all.
  if (cluster) return role === 'subscriber' ? connectToAnyServer(endpoint, cluster) : connectCluster(endpoint, cluster, role);
  const database = db === undefined ? {} : { db };
  if (sentinels) return connectBySentinels({ ...serverOptions(endpoint, role), ...database }, endpoint, sentinels);
  return new Redis({ ...fromUrl(url), ...serverOptions(endpoint, role), ...database });
}

function fromUrl(text: string): RedisOptions {
  const url = new URL(text);
  const options: RedisOptions = { host: url.hostname, port: url.port === '' ? 6379 : Number(url.port) };
  if (url.username !== '') options.username = decodeURIComponent(url.username);
  if (url.password !== '') options.password = decodeURIComponent(url.password);
  if (url.pathname.length > 1) options.db = Number(url.pathname.slice(1));
  if (url.protocol === 'rediss:') options.tls = {};
  return options;
}
