import { afterEach } from 'vitest';

import { connectRedis, disconnectRedis, type RedisClient } from '../../src/redis/connection.ts';
import type { RedisEndpoint, RedisRole } from '../../src/redis/endpoint.ts';
import type { Logger } from '../../src/runtime/log.ts';

const ignore = (): void => undefined;
export const silent: Logger = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

/** Connections of the service, closed after each test of the file that calls this at its top. */
export function useClients(): (endpoint: RedisEndpoint, role: RedisRole, logger?: Logger) => RedisClient {
  const opened: RedisClient[] = [];
  afterEach(() => {
    for (const client of opened.splice(0)) disconnectRedis(client);
  });
  return (endpoint, role, logger = silent) => {
    const client = connectRedis(endpoint, role, logger);
    opened.push(client);
    return client;
  };
}

export async function untilReady(client: RedisClient): Promise<RedisClient> {
  if (client.status !== 'ready') await new Promise((resolve) => client.once('ready', resolve));
  return client;
}

/** How long `work` took, ms, and how it ended. */
export async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; value?: T; error?: unknown }> {
  const begun = performance.now();
  try {
    const value = await work();
    return { ms: performance.now() - begun, value };
  } catch (error) {
    return { ms: performance.now() - begun, error };
  }
}
