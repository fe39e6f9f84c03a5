import { Cluster, Redis, type RedisOptions } from 'ioredis';

import type { Secret } from '../domain/secret.ts';
import type { Logger } from '../runtime/log.ts';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export interface RedisTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: Secret | undefined;
  readonly servername?: string | undefined;
}

/** Where Redis is: one server by `url`, or Sentinel, or Cluster. */
export interface RedisEndpoint {
  readonly url?: string | undefined;
  readonly sentinels?: readonly RedisAddress[] | undefined;
  readonly masterName?: string | undefined;
  readonly cluster?: readonly RedisAddress[] | undefined;
  readonly username?: string | undefined;
  readonly password?: Secret | undefined;
  readonly db?: number | undefined;
  readonly tls?: RedisTls | undefined;
}

export type RedisClient = Redis | Cluster;

/**
 * What a connection is for. Each use has a connection of its own, so that a slow one does not hold up the others:
 * `read` and `write` give up soon, `lease` well within a lease, `queue` after two seconds,
 * `worker` and `subscriber` wait for as long as Redis is away.
 */
export type RedisRole = 'read' | 'write' | 'lease' | 'queue' | 'worker' | 'subscriber';

const commandTimeouts: Record<RedisRole, number | undefined> = {
  read: 150,
  write: 400,
  lease: 400,
  queue: 2000,
  worker: undefined,
  subscriber: undefined,
};

/** Opens a connection in the background: a Redis that is away is no error here. */
export function connectRedis(endpoint: RedisEndpoint, role: RedisRole, logger: Logger): RedisClient {
  const client = endpoint.cluster ? connectCluster(endpoint, role) : new Redis({ ...singleOptions(endpoint, role), replyMapping: 'legacy' });
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

function singleOptions(endpoint: RedisEndpoint, role: RedisRole): RedisOptions {
  const options: RedisOptions = { ...common(endpoint, role), ...(endpoint.sentinels ? {} : fromUrl(endpoint.url ?? 'redis://127.0.0.1:6379')) };
  if (endpoint.username) options.username = endpoint.username;
  if (endpoint.password) options.password = endpoint.password.reveal();
  if (endpoint.db !== undefined) options.db = endpoint.db;
  if (!endpoint.sentinels) return options;
  return { ...options, sentinels: [...endpoint.sentinels], name: endpoint.masterName ?? 'mymaster' };
}

function connectCluster(endpoint: RedisEndpoint, role: RedisRole): Cluster {
  const { retryStrategy, enableOfflineQueue, ...redisOptions } = common(endpoint, role);
  if (endpoint.username) redisOptions.username = endpoint.username;
  if (endpoint.password) redisOptions.password = endpoint.password.reveal();
  const clusterRetryStrategy = retryStrategy as (times: number) => number;
  return new Cluster([...(endpoint.cluster ?? [])], { redisOptions: { ...redisOptions, replyMapping: 'legacy' }, clusterRetryStrategy, enableOfflineQueue: enableOfflineQueue ?? true });
}

function common(endpoint: RedisEndpoint, role: RedisRole): RedisOptions {
  const waits = role === 'worker' || role === 'subscriber';
  const timeout = commandTimeouts[role];
  return {
    connectTimeout: 2000,
    retryStrategy: (times: number) => Math.min(50 * 2 ** Math.min(times, 5), 1000),
    enableOfflineQueue: waits,
    maxRetriesPerRequest: waits ? null : 0,
    ...(timeout === undefined ? {} : { commandTimeout: timeout }),
    ...(endpoint.tls ? { tls: tlsOptions(endpoint.tls) } : {}),
  };
}

function tlsOptions({ key, ...rest }: RedisTls): object {
  const given = Object.entries({ ...rest, key: key?.reveal() }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
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
