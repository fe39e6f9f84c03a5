import { z } from 'zod';

import { facts, isAbsent, leaf, listOf, section } from '../leaf.ts';
import { optionalNumber, optionalText, pem, readFlag, secretPem, secretText, text, wholeNumber } from '../leaves.ts';
import { parseRedisUrl } from '../redis-url.ts';
import type { RedisUrl } from '../redis-url.ts';

const hostName = { pattern: /^\S+$/, allowed: 'host name or address' };

function address(defaultPort: number) {
  return section(z.strictObject({
    host: text('Host', '127.0.0.1', hostName),
    port: wholeNumber('Port', defaultPort, [1, 65_535]),
  }));
}

/** `true`, `false` or the keys of the connection. */
const tls = z.preprocess((found) => {
  const on = typeof found === 'string' ? readFlag(found) : undefined;
  if (on === false || isAbsent(found)) return undefined;
  return on === true ? {} : found;
}, z.strictObject({
  ca: pem('Certificate authorities that may sign the certificate of Redis', 'those of the system'),
  cert: pem('Certificate of this client'),
  key: secretPem('Private key of this client'),
  servername: optionalText('Name that the certificate of Redis must bear', { ...hostName, shown: 'the host' }),
}).optional()).register(facts, { about: 'Encryption of all connections, those to sentinels too', allowed: 'true, false, or the keys below', default: 'false; true with `rediss`', secret: false });

const keys = z.strictObject({
  url: leaf<RedisUrl | undefined>({
    about: 'One Redis server; `rediss` is with TLS',
    allowed: 'URL, `redis[s]://[user:password@]host[:port][/db]`',
    fallback: undefined,
    shown: 'redis://127.0.0.1:6379',
    secret: true,
    read: parseRedisUrl,
  }),
  sentinels: listOf(address(26_379), 'Sentinels that know the server, in place of `url`', 'none', []),
  masterName: optionalText('Name under which the sentinels know the server', { pattern: /^\S+$/, allowed: 'name', shown: 'none, required with `sentinels`' }),
  sentinelUsername: optionalText('Name to log in to the sentinels with'),
  sentinelPassword: secretText('Password to log in to the sentinels with; that of the server is not given to them'),
  cluster: listOf(address(6379), 'Some servers of a Redis Cluster, in place of `url`', 'none', []),
  username: optionalText('Name to log in with', { shown: 'that of the URL' }),
  password: secretText('Password to log in with', 'that of the URL'),
  db: optionalNumber('Number of the database; 0 in a Redis Cluster', '0, or that of the URL', [0, 1_000_000]),
  tls,
  keyPrefix: text('All keys of the service begin with it; nodes of one service share it', 'tokenpool', {
    pattern: /^[\w.:-]{1,64}$/, allowed: '1 to 64 of A-Z a-z 0-9 _ . : -',
  }),
});

export const redisSection = section(keys.superRefine((found, context) => {
  const { url, sentinels, cluster, masterName, db } = found;
  const fault = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
  const ways = [url !== undefined, sentinels.length > 0, cluster.length > 0].filter(Boolean).length;
  if (ways > 1) fault('url', 'found more than one of url, sentinels and cluster; allowed: one of them');
  if (sentinels.length > 0 && masterName === undefined) fault('masterName', 'missing, and sentinels are given; allowed: name');
  if (cluster.length > 0 && (db ?? 0) !== 0) fault('db', `found ${String(db)}; allowed: 0, since a Redis Cluster has no other`);
}).transform(({ url, sentinels, cluster, masterName, sentinelUsername, sentinelPassword, username, password, db, tls: asked, keyPrefix }) => ({
  ...(sentinels.length > 0 ? { sentinels, masterName, sentinelUsername, sentinelPassword } : cluster.length > 0 ? { cluster } : { url: url?.url ?? 'redis://127.0.0.1:6379' }),
  username: username ?? url?.username,
  password: password ?? url?.password,
  db: db ?? url?.db ?? 0,
  tls: asked ?? (url?.tls === true ? {} : undefined),
  keyPrefix,
})));
