import { setTimeout as delay } from 'node:timers/promises';
import { createPool } from 'mysql2';
import type { Pool, PoolConnection, PoolOptions, SslOptions, TypeCastField, TypeCastNext } from 'mysql2';
import type { DatabaseOptions } from './connection.ts';
import { failureOf, TimedOut } from './failure.ts';
import { idleSeconds, Link } from './link.ts';
import { Slots } from './slots.ts';

/** How long, in ms, the server gets to say goodbye when the pool is closed. */
const farewellMs = 500;

/** The driver's pool with what it lacks: a deadline for whoever waits, sessions set up, and no connection that idled too long. */
export class ConnectionPool {
  readonly #timeoutMs: number;
  readonly #idleLimitMs: number;
  readonly #pool: Pool;
  readonly #slots: Slots;
  readonly #links = new Map<PoolConnection, Link>();

  constructor(options: DatabaseOptions) {
    this.#timeoutMs = options.queryTimeoutMs;
    this.#idleLimitMs = idleSeconds(options.queryTimeoutMs) * 1000 - 1000;
    this.#pool = createPool(poolOptions(options));
    this.#slots = new Slots(options.connectionLimit);
  }

  /**
   * A link with its session set up; to be released by the caller. Waits no longer than the query timeout.
   * @throws StoreUnavailable; the signal's reason when aborted
   */
  async take(label: string, signal?: AbortSignal): Promise<Link> {
    const deadline = performance.now() + this.#timeoutMs;
    for (;;) {
      const link = await this.#lend(label, deadline, signal);
      try {
        if (link.idleMs > this.#idleLimitMs) link.destroy();
        else await link.prepare(signal);
      } catch (error) {
        link.release();
        throw error;
      }
      if (!link.broken) return link;
      link.release();
    }
  }

  /** Waits for the links in use at most as long as a statement may take. */
  async close(): Promise<void> {
    await this.#slots.close(this.#timeoutMs);
    const ended = new Promise<void>((resolve) => this.#pool.end(() => resolve()));
    await Promise.race([ended, delay(farewellMs)]);
    for (const link of this.#links.values()) link.destroy();
  }

  async #lend(label: string, deadline: number, signal?: AbortSignal): Promise<Link> {
    let giveBackSlot: () => void;
    try {
      giveBackSlot = await this.#slots.take(deadline - performance.now(), signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw failureOf(label, error);
    }
    const connecting = this.#connection(giveBackSlot);
    try {
      return await inTime(connecting, deadline - performance.now(), signal);
    } catch (error) {
      connecting.then((link) => link.release(), () => undefined);
      signal?.throwIfAborted();
      throw failureOf(label, error);
    }
  }

  /** The slot stays taken while a connection is being made, even for nobody: so the driver never has anybody queueing. */
  #connection(giveBackSlot: () => void): Promise<Link> {
    return new Promise((resolve, reject) => {
      this.#pool.getConnection((error, connection) => {
        if (error) {
          giveBackSlot();
          reject(error);
          return;
        }
        const link = this.#linkOf(connection);
        link.take(giveBackSlot);
        resolve(link);
      });
    });
  }

  #linkOf(connection: PoolConnection): Link {
    const known = this.#links.get(connection);
    if (known) return known;
    const link = new Link(connection, this.#timeoutMs, () => this.#links.delete(connection));
    this.#links.set(connection, link);
    return link;
  }
}

/** Rejects when `promise` takes longer than `waitMs` or the signal aborts; the promise itself goes on. */
async function inTime<T>(promise: Promise<T>, waitMs: number, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => stop(new TimedOut()), waitMs);
    const aborted = (): void => stop(signal?.reason as Error);
    const leave = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
    };
    const stop = (reason: Error): void => {
      leave();
      reject(reason);
    };
    signal?.addEventListener('abort', aborted);
    promise.then((value) => {
      leave();
      resolve(value);
    }, stop);
  });
}

function poolOptions(options: DatabaseOptions): PoolOptions {
  return {
    host: options.host,
    port: options.port,
    user: options.user,
    password: options.password.reveal(),
    database: options.schema,
    ...(options.tls ? { ssl: sslOptions(options.tls) } : {}),
    connectionLimit: options.connectionLimit,
    connectTimeout: options.queryTimeoutMs,
    enableKeepAlive: true,
    keepAliveInitialDelay: 10_000,
    charset: 'UTF8MB4_BIN',
    timezone: 'Z',
    supportBigNumbers: true,
    typeCast: bitAsBoolean,
    trace: false,
    // Round trips are what a refresh costs. Every parameter is escaped by us, under an sql_mode that we set.
    multipleStatements: true,
    // A server may otherwise ask for any file of this machine.
    flags: ['-LOCAL_FILES'],
  };
}

/** The driver checks the certificate's name only when told to. */
function sslOptions(tls: NonNullable<DatabaseOptions['tls']>): SslOptions {
  return { rejectUnauthorized: tls.verify, verifyIdentity: tls.verify, ...(tls.ca === undefined ? {} : { ca: tls.ca }) };
}

function bitAsBoolean(field: TypeCastField, next: TypeCastNext): unknown {
  if (field.type !== 'BIT' || field.length !== 1) return next();
  const bits = field.buffer();
  return bits === null ? null : bits[0] === 1;
}
