import type { RedisOptions } from 'ioredis';

import type { Secret } from '../domain/secret.ts';

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
  readonly sentinelUsername?: string | undefined;
  readonly sentinelPassword?: Secret | undefined;
  readonly cluster?: readonly RedisAddress[] | undefined;
  readonly username?: string | undefined;
  readonly password?: Secret | undefined;
  readonly db?: number | undefined;
  readonly tls?: RedisTls | undefined;
}

/**
 * What a connection is for. Each use has a connection of its own, so that a slow one does not hold up the others:
 * `read` and `write` give up soon, `lease` well within a lease, `queue` after two seconds,
 * `worker` and `subscriber` wait for as long as Redis is away.
 */
export type RedisRole = 'read' | 'write' | 'lease' | 'queue' | 'worker' | 'subscriber';

/** Replies in the shapes of RESP2, whatever the server speaks. */
export type ConnectionOptions = RedisOptions & { replyMapping: 'legacy' };

interface Patience {
  /** How long one command may take, ms. */
  readonly commandTimeout?: number;
  /** How long a server may leave commands without a byte of answer before the connection is made anew, ms: it may hang, and another have taken its place. */
  readonly socketTimeout: number;
  /** Whether commands wait while there is no connection. */
  readonly waits: boolean;
}

const patience: Record<RedisRole, Patience> = {
  read: { commandTimeout: 150, socketTimeout: 1000, waits: false },
  write: { commandTimeout: 400, socketTimeout: 1000, waits: false },
  lease: { commandTimeout: 400, socketTimeout: 1000, waits: false },
  queue: { commandTimeout: 2000, socketTimeout: 2000, waits: false },
  // BullMQ lets Redis wait for a job for up to 10 s.
  worker: { socketTimeout: 12_000, waits: true },
  subscriber: { socketTimeout: 1000, waits: true },
};

/** Whether commands wait while there is no connection; else they fail at once. */
export function waitsForRedis(role: RedisRole): boolean {
  return patience[role].waits;
}

/** For a connection to one server at a time. */
export function serverOptions(endpoint: RedisEndpoint, role: RedisRole): ConnectionOptions {
  return { ...optionsOf(endpoint, role), retryStrategy: pauseBefore, enableOfflineQueue: waitsForRedis(role) };
}

/** What holds for every connection of this role, whatever Redis is made of. */
export function optionsOf(endpoint: RedisEndpoint, role: RedisRole): ConnectionOptions {
  const { waits, ...timeouts } = patience[role];
  const { username, password, tls } = endpoint;
  return {
    ...timeouts,
    connectTimeout: 2000,
    disconnectTimeout: 500,
    maxRetriesPerRequest: waits ? null : 0,
    // A server that was made a replica keeps its connections where nobody ends them: behind a name, or a proxy.
    reconnectOnError: (error) => error.message.includes('READONLY'),
    ...(username ? { username } : {}),
    ...(password ? { password: password.reveal() } : {}),
    ...(tls ? { tls: tlsOptions(tls) } : {}),
    replyMapping: 'legacy',
  };
}

/** ms before the next try to connect. */
export function pauseBefore(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 5), 1000);
}

function tlsOptions({ key, ...rest }: RedisTls): object {
  const given = Object.entries({ ...rest, key: key?.reveal() }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}
