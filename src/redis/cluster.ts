import { createConnection } from 'node:net';
import { connect as connectTls } from 'node:tls';

import { AbstractConnector, Cluster, Redis, type RedisOptions } from 'ioredis';

import { optionsOf, pauseBefore, serverOptions, waitsForRedis, type RedisAddress, type RedisEndpoint, type RedisRole } from './endpoint.ts';

/** How often a client asks who serves what, ms. A server that hangs says nothing by itself, and the others only when asked. */
const refreshEveryMs = 1000;

export function connectCluster(endpoint: RedisEndpoint, servers: readonly RedisAddress[], role: RedisRole): Cluster {
  return new Cluster([...servers], {
    redisOptions: optionsOf(endpoint, role),
    clusterRetryStrategy: pauseBefore,
    slotsRefreshInterval: refreshEveryMs,
    // A server that hangs would hold it up for as long as it may let a worker wait.
    enableReadyCheck: role !== 'worker',
    enableOfflineQueue: waitsForRedis(role),
    // Who gives up soon shall not have its command carried out by a later server, unheard: that could lock this node out of its own lease.
    ...(role === 'queue' || role === 'worker' ? {} : { retryDelayOnFailover: 0, retryDelayOnClusterDown: 0 }),
    // Certificates bear names.
    ...(endpoint.tls ? { dnsLookup: (host, done) => done(null, host) } : {}),
  });
}

/** A connection to any server of the cluster, another one each time it is lost. */
export function connectToAnyServer(endpoint: RedisEndpoint, servers: readonly RedisAddress[]): Redis {
  const map = connectCluster(endpoint, servers, 'read');
  map.on('error', () => undefined);
  const known = (): readonly RedisAddress[] => {
    const nodes = map.nodes().map(({ options: { host = '', port = 0 } }) => ({ host, port }));
    return nodes.length > 0 ? nodes : servers;
  };
  class ToAnyServer extends AbstractConnector {
    readonly #tls: RedisOptions['tls'];

    constructor(options: unknown) {
      const { disconnectTimeout = 0, tls } = options as RedisOptions;
      super(disconnectTimeout);
      this.#tls = tls;
    }

    connect(): ReturnType<AbstractConnector['connect']> {
      this.connecting = true;
      const addresses = known();
      const address = addresses[Math.floor(Math.random() * addresses.length)] as RedisAddress;
      this.stream = this.#tls ? connectTls({ ...address, ...this.#tls }) : createConnection(address);
      this.stream.once('error', (error: Error) => { this.firstError = error; });
      return Promise.resolve(this.stream);
    }
  }
  const client = new Redis({ ...serverOptions(endpoint, 'subscriber'), Connector: ToAnyServer });
  client.once('end', () => map.disconnect());
  return client;
}
