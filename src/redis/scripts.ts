import type { Result } from 'ioredis';

import type { RedisClient } from './connection.ts';

/**
 * Puts a token into its slot unless the slot holds one of the same or a higher rank (version, then update count; what was given back is above its withdrawal).
 * A value in another form counts as none. The pool's time to live only grows.
 * KEYS: the owner's pool. ARGV: slot, version, update count, value, expiry (epoch ms), time to keep it after that and at least (ms).
 * Returns 1 when it was put.
 */
const putIfNewer = `
local current = redis.call('HGET', KEYS[1], ARGV[1])
local version, uc, letter = string.match(current or '', '^(%d+):(%d+):(%a?)')
if version then
  version, uc = tonumber(version), tonumber(uc)
  local newVersion, newUc = tonumber(ARGV[2]), tonumber(ARGV[3])
  local isGivenBack = letter == 'w' and string.match(ARGV[4], '^%d+:%d+:b:')
  if version > newVersion or (version == newVersion and (uc > newUc or (uc == newUc and not isGivenBack))) then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
local now = redis.call('TIME')
local left = math.max(0, tonumber(ARGV[5]) - (now[1] * 1000 + math.floor(now[2] / 1000))) + tonumber(ARGV[6])
if left > redis.call('PTTL', KEYS[1]) then redis.call('PEXPIRE', KEYS[1], math.ceil(left)) end
return 1`;

/**
 * Publishes by the server of the channel's slot: a client of a Redis Cluster would send each message to any of them, and they would overtake one another.
 * KEYS: the channel. ARGV: the message.
 */
const publishInOrder = "return redis.call('PUBLISH', KEYS[1], ARGV[1])";

declare module 'ioredis' {
  interface RedisCommander<Context> {
    putIfNewer(key: string, slot: string, version: number, uc: number, value: string, expiresAt: number, keepMs: number): Result<number, Context>;
    publishInOrder(channel: string, message: string): Result<number, Context>;
  }
}

export function defineScripts(client: RedisClient): void {
  client.defineCommand('putIfNewer', { numberOfKeys: 1, lua: putIfNewer });
  client.defineCommand('publishInOrder', { numberOfKeys: 1, lua: publishInOrder });
}
