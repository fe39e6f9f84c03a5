import { Redis, SentinelConnector, type RedisOptions, type SentinelConnectionOptions } from 'ioredis';

import { pauseBefore, type ConnectionOptions, type RedisAddress, type RedisEndpoint, type RedisRole } from './endpoint.ts';

/** How long a sentinel may take to say who is primary, ms, before the next one is asked. */
const answerWithinMs = 1000;

/** A connection to whichever server the sentinels call the primary; encrypted, where it is, on both ways. */
export function connectBySentinels(options: ConnectionOptions, endpoint: RedisEndpoint, sentinels: readonly RedisAddress[], role: RedisRole): Redis {
  const { masterName: name = 'mymaster', sentinelUsername, sentinelPassword } = endpoint;
  const bySentinels: ConnectionOptions = {
    ...options,
    sentinels: [...sentinels],
    name,
    sentinelCommandTimeout: answerWithinMs,
    ...(sentinelUsername ? { sentinelUsername } : {}),
    ...(sentinelPassword ? { sentinelPassword: sentinelPassword.reveal() } : {}),
    ...(options.tls ? { sentinelTLS: options.tls, enableTLSForSentinelMode: true } : {}),
  };
  if (role !== 'worker') return new Redis(bySentinels);
  const watch = new FailoverWatch(bySentinels, sentinels, name);
  const client = new Redis({ ...bySentinels, Connector: watch.connector() });
  client.once('end', () => watch.close());
  return client;
}

/**
 * Ends connections to a primary in whose place another server has come. A server that hangs ends none itself, and who lets it wait for a job
 * would not notice for long. BullMQ copies its connection, connector included: that is how the copies are reached.
 */
class FailoverWatch {
  readonly #sentinels: readonly Redis[];
  readonly #connectors = new Set<WeakRef<FollowingConnector>>();

  constructor({ tls, sentinelUsername, sentinelPassword }: RedisOptions, sentinels: readonly RedisAddress[], masterName: string) {
    const login = { ...(sentinelUsername ? { username: sentinelUsername } : {}), ...(sentinelPassword ? { password: sentinelPassword } : {}), ...(tls ? { tls } : {}) };
    this.#sentinels = sentinels.map((address) => {
      const sentinel = new Redis({ ...address, ...login, connectTimeout: 2000, socketTimeout: answerWithinMs, retryStrategy: pauseBefore, maxRetriesPerRequest: null, replyMapping: 'legacy' });
      sentinel.on('error', () => undefined);
      sentinel.on('message', (_channel, text) => text.startsWith(`${masterName} `) && this.#moveOn());
      sentinel.subscribe('+switch-master').catch(() => undefined);
      return sentinel;
    });
  }

  connector(): NonNullable<RedisOptions['Connector']> {
    const connectors = this.#connectors;
    return class extends FollowingConnector {
      constructor(options: unknown) {
        super(options as SentinelConnectionOptions);
        connectors.add(new WeakRef(this));
      }
    };
  }

  close(): void {
    for (const sentinel of this.#sentinels) sentinel.disconnect();
  }

  #moveOn(): void {
    for (const reference of this.#connectors) {
      const connector = reference.deref();
      if (connector) connector.leave();
      else this.#connectors.delete(reference);
    }
  }
}

class FollowingConnector extends SentinelConnector {
  #switches = 0;
  #isLookingUp = false;

  override async connect(emit: Parameters<SentinelConnector['connect']>[0]): ReturnType<SentinelConnector['connect']> {
    this.#isLookingUp = true;
    const before = this.#switches;
    const stream = await super.connect(emit).finally(() => (this.#isLookingUp = false));
    if (this.#switches > before) stream.destroy();
    return stream;
  }

  /** The connection ends, and is made anew. A look-up that was ended would be taken for the end of all tries. */
  leave(): void {
    this.#switches++;
    if (!this.#isLookingUp) this.disconnect();
  }
}
