import { Redis, SentinelConnector, type RedisOptions, type SentinelConnectionOptions } from 'ioredis';

import { pauseBefore, type ConnectionOptions, type RedisAddress, type RedisEndpoint } from './endpoint.ts';

/** How long a sentinel may take to say who is primary, ms, before the next one is asked. */
const answerWithinMs = 1000;

/** All connections of a process to one Redis share a watch. */
const watches = new WeakMap<RedisEndpoint, FailoverWatch>();

/** A connection to whichever server the sentinels call the primary; encrypted, where it is, on both ways. */
export function connectBySentinels(options: ConnectionOptions, endpoint: RedisEndpoint, sentinels: readonly RedisAddress[]): Redis {
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
  const watch = watches.get(endpoint) ?? new FailoverWatch(bySentinels, sentinels, name);
  watches.set(endpoint, watch);
  watch.join();
  const client = new Redis({ ...bySentinels, Connector: watch.connector() });
  client.once('end', () => watch.leave() && watches.delete(endpoint));
  return client;
}

/**
 * Ends the connections of a process to a primary in whose place another server has come. A server that hangs ends none itself; who lets it wait
 * for a job, or asks it nothing, would not notice for long. BullMQ copies its connection, connector included: that is how the copies are reached.
 */
class FailoverWatch {
  readonly #sentinels: readonly Redis[];
  readonly #connectors = new Set<WeakRef<FollowingConnector>>();
  #joined = 0;

  constructor(options: RedisOptions, sentinels: readonly RedisAddress[], masterName: string) {
    const { tls, sentinelUsername: username, sentinelPassword: password } = options;
    const login = { ...(username ? { username } : {}), ...(password ? { password } : {}), ...(tls ? { tls } : {}) };
    this.#sentinels = sentinels.map((address) => {
      const sentinel = new Redis({ ...address, ...login, connectTimeout: 2000, socketTimeout: answerWithinMs, retryStrategy: pauseBefore, maxRetriesPerRequest: null, replyMapping: 'legacy' });
      sentinel.on('error', () => undefined);
      sentinel.on('message', (_channel, text) => this.#hear(text.split(' '), masterName));
      sentinel.subscribe('+switch-master').catch(() => undefined);
      return sentinel;
    });
  }

  join(): void {
    this.#joined++;
  }

  /** @returns whether it has ended, since all who joined have left */
  leave(): boolean {
    if (--this.#joined > 0) return false;
    for (const sentinel of this.#sentinels) sentinel.disconnect();
    return true;
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

  /** Each sentinel says it: name, old address and port, new address and port. */
  #hear([name, , , host, port]: readonly string[], masterName: string): void {
    if (name !== masterName) return;
    for (const reference of this.#connectors) {
      const connector = reference.deref();
      if (connector) connector.leaveFor(`${host} ${port}`);
      else this.#connectors.delete(reference);
    }
  }
}

type Emit = Parameters<SentinelConnector['connect']>[0];

class FollowingConnector extends SentinelConnector {
  #switches = 0;
  #isLookingUp = true;

  override async connect(emit: Emit): ReturnType<SentinelConnector['connect']> {
    this.#isLookingUp = true;
    const before = this.#switches;
    const stream = await super.connect(withoutFalseAlarms(emit)).finally(() => (this.#isLookingUp = false));
    if (this.#switches > before) stream.destroy();
    return stream;
  }

  /** The connection ends, and is made anew, unless it leads there already. A look-up that was ended would be taken for the end of all tries. */
  leaveFor(primary: string): void {
    this.#switches++;
    if (!this.#isLookingUp && `${this.stream.remoteAddress} ${this.stream.remotePort}` !== primary) this.disconnect();
  }
}

/** The end of the list of sentinels is called an error also where none had failed: each new look-up begins where the last one ended. */
function withoutFalseAlarms(emit: Emit): Emit {
  let failures = 0;
  return (type, error) => {
    if (type === 'sentinelError') failures++;
    if (type !== 'error' || failures > 0) emit(type, error);
  };
}
