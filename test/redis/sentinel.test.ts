import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { Redis as Client } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import type { RedisClient } from '../../src/redis/connection.ts';
import type { RedisEndpoint, RedisRole } from '../../src/redis/endpoint.ts';
import { freePort } from '../harness/ports.ts';
import { createCertificateAuthority } from '../harness/provider/certificate.ts';
import { startRedisSentinel } from '../harness/redis-sentinel.ts';
import type { RedisSentinel } from '../harness/redis-sentinel.ts';
import { startRedis } from '../harness/stores.ts';
import { startTcpProxy } from '../harness/tcp-proxy.ts';
import type { Redis } from '../harness/stores.ts';
import { untilReady, useClients } from './clients.ts';

const connect = useClients();
const roles = ['read', 'write', 'lease', 'queue', 'worker', 'subscriber'] as const;

async function answersWithin(client: RedisClient, ms: number): Promise<void> {
  const late = (): Promise<never> => delay(300).then(() => { throw new Error('no answer'); });
  await vi.waitFor(() => Promise.race([client.set('key', 'value'), late()]), { timeout: ms, interval: 50 });
}

describe('a connection by sentinels', () => {
  let group: RedisSentinel;
  beforeAll(async () => { group = await startRedisSentinel(); });
  afterAll(() => group.remove());

  const connected = (role: RedisRole): Promise<RedisClient> => untilReady(connect(group.section, role));

  test('goes on with the new primary where the old one was killed, though the sentinel that is asked first hangs', async () => {
    const clients = await Promise.all(roles.map(connected));
    group.sentinels[0]!.freeze();
    const { lost } = await group.failover();
    await Promise.all(clients.map((client) => answersWithin(client, 5_000)));
    group.sentinels[0]!.thaw();
    await lost.restart();
  }, 40_000);

  test('goes on with the new primary where the old one hangs, also while it waits for a job, and stays there when the old one wakes up', async () => {
    const [worker, ...clients] = await Promise.all((['worker', 'read', 'write', 'lease', 'queue'] as const).map(connected));
    const waiting = (worker as Client).duplicate();
    await untilReady(waiting);
    const job = waiting.bzpopmin('jobs', 30);
    const { lost } = await group.freezePrimary();
    await Promise.all(clients.map((client) => answersWithin(client, 4_000)));
    await clients[1]!.zadd('jobs', 1, 'job');
    expect(await Promise.race([job, delay(4_000)])).toEqual(['jobs', 'job', '1']);
    waiting.disconnect();
    await answersWithin(worker!, 1_000);
    await clients[1]!.set('key', 'of the new primary');
    lost.thaw();
    await delay(500);
    for (const client of [worker!, ...clients]) expect(await client.get('key')).toBe('of the new primary');
  }, 40_000);

  test('does not end for good where it hears of the failover while it asks for the primary', async () => {
    await group.whole();
    const proxies = await Promise.all(group.sentinels.map(({ port }) => startTcpProxy(port)));
    const clients = Array.from({ length: 4 }, () => connect({ ...group.section, sentinels: proxies.map(({ port }) => ({ host: '127.0.0.1', port })) }, 'worker'));
    await Promise.all(clients.map(untilReady));
    for (const proxy of proxies) proxy.delay(200);
    await group.failover();
    await Promise.all(clients.map((client) => answersWithin(client, 8_000)));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
  }, 60_000);
});

describe('sentinels that want TLS and a password', () => {
  let folder: string;
  let servers: Redis[];
  let endpoint: RedisEndpoint;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tps-certificates-'));
    const authority = createCertificateAuthority('sentinel test');
    const { certPem, keyPem } = authority.issue(['127.0.0.1']);
    const files = { cert: certPem, key: keyPem, 'ca-cert': authority.caPem };
    for (const [name, pem] of Object.entries(files)) await writeFile(join(folder, name), pem);
    const [primaryPort, sentinelPort] = [await freePort(), await freePort()];
    const tls = (port: number): string[] => ['--tls-port', String(port), '--tls-auth-clients', 'no', '--tls-replication', 'yes', ...Object.keys(files).flatMap((name) => [`--tls-${name}-file`, join(folder, name)])];
    const primary = await startRedis({ args: tls(primaryPort) });
    const file = `sentinel monitor pool 127.0.0.1 ${primaryPort} 1\nuser default on nopass -@all +info\nuser asker on >ask-away ~* &* +@all\n`;
    const sentinel = await startRedis({ file, args: ['--sentinel', ...tls(sentinelPort)] });
    servers = [primary, sentinel];
    endpoint = { sentinels: [{ host: '127.0.0.1', port: sentinelPort }], masterName: 'pool', sentinelUsername: 'asker', sentinelPassword: new Secret('ask-away'), tls: { ca: authority.caPem } };
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.remove()));
    await rm(folder, { recursive: true, force: true });
  });

  test.each(['write', 'worker'] as const)('get both, as does the primary, from a connection for %s', async (role) => {
    await answersWithin(connect(endpoint, role), 5_000);
  });

  test('tell nothing without the password', async () => {
    const client = connect({ ...endpoint, sentinelPassword: new Secret('wrong') }, 'write');
    await delay(1_000);
    expect(client.status).not.toBe('ready');
  });
});
