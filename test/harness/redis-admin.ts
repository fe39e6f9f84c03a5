import { setTimeout as sleep } from 'node:timers/promises';

import { Redis as RedisClient } from 'ioredis';

import type { Redis } from './stores.ts';

/** One command to one server, over a connection of its own, which ends with it. Fails within 1 s where the server does not answer. */
export async function ask<T>({ host, port }: Pick<Redis, 'host' | 'port'>, command: string, ...args: (string | number)[]): Promise<T> {
  const client = new RedisClient({ host, port, lazyConnect: true, connectTimeout: 1000, commandTimeout: 1000, retryStrategy: null, maxRetriesPerRequest: 0, replyMapping: 'legacy' });
  client.on('error', () => { /* The command below fails for the same reason. */ });
  try {
    await client.connect();
    return (await client.call(command, ...args)) as T;
  } finally {
    client.disconnect();
  }
}

/** What the server says of itself in a section of `INFO`, by field. */
export async function infoOf(server: Redis, section: string): Promise<Readonly<Record<string, string>>> {
  return fieldsOf(await ask<string>(server, 'INFO', section));
}

/** Lines of `field:value`. */
export function fieldsOf(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(text.split('\r\n').map((line): [string, string] => [line.split(':', 1)[0] ?? '', line.slice(line.indexOf(':') + 1)]));
}

/**
 * Looks until there is something to see; a look that fails sees nothing.
 * @throws Error after `timeoutMs`
 */
export async function seen<T>(what: string, look: () => Promise<T | false | undefined>, timeoutMs = 20_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let failure: unknown;
  while (performance.now() < deadline) {
    const found = await look().catch((error: unknown) => void (failure = error));
    if (found !== undefined && found !== false) return found;
    await sleep(30);
  }
  throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`, { cause: failure });
}
