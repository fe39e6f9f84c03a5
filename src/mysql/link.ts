import { format } from 'mysql2';
import type { PoolConnection } from 'mysql2';
import { Secret } from '../domain/secret.ts';
import { StoreUnavailable } from '../domain/errors.ts';
import type { Parameter, Statement } from './connection.ts';
import { connectionLost, failureOf, TimedOut } from './failure.ts';

/** One connection to the database; what it needs to know survives its stays in the pool. */
export class Link {
  readonly #connection: PoolConnection;
  readonly #timeoutMs: number;
  readonly #onEnd: () => void;
  readonly #pending = new Set<(error: unknown) => void>();
  #ready = false;
  #broken = false;
  #reused = false;
  #idleSince = performance.now();
  #giveBackSlot: () => void = () => undefined;

  constructor(connection: PoolConnection, timeoutMs: number, onEnd: () => void) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
    this.#onEnd = onEnd;
    // The driver may emit further errors on a connection that it gave up; without a listener each would end the process.
    connection.on('error', () => this.destroy());
    connection.on('end', () => this.destroy());
  }

  get broken(): boolean {
    return this.#broken;
  }

  /** Had served before it was taken this time, so it may have died in the pool without anybody noticing. */
  get reused(): boolean {
    return this.#reused;
  }

  get idleMs(): number {
    return this.#ready ? performance.now() - this.#idleSince : 0;
  }

  /** Somebody uses the link from now until its release. */
  take(giveBackSlot: () => void): void {
    this.#reused = this.#ready;
    this.#giveBackSlot = giveBackSlot;
  }

  /** Makes the session the one that every statement of the service counts on. Does nothing the second time. */
  async prepare(signal?: AbortSignal): Promise<void> {
    if (this.#ready) return;
    const seconds = this.#timeoutMs / 1000;
    // sql_mode is set as a whole: a server default of NO_BACKSLASH_ESCAPES or ANSI_QUOTES would make escaped parameters unsafe.
    // A lock is waited for no longer than the caller waits, so that a statement is not carried out after its caller gave up.
    // wait_timeout: the locks of a process that is frozen inside a transaction are freed after it.
    const settings = `SET SESSION time_zone = '+00:00', SESSION autocommit = 1,
      SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
      SESSION innodb_lock_wait_timeout = ${Math.max(1, Math.floor(seconds))}, SESSION wait_timeout = ${idleSeconds(this.#timeoutMs)}`;
    await this.run({ label: 'connection.settings', sql: settings }, signal);
    await this.run({ label: 'connection.isolation', sql: 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED' }, signal);
    this.#ready = true;
  }

  /**
   * Text protocol, parameters escaped here: a prepared statement costs a round trip more on each new connection, and its
   * handle is lost behind a proxy or a failover.
   * @throws StoreUnavailable, StatementFailed; the signal's reason when aborted. After a timeout or an abort the connection
   *   is destroyed, for the server may still be carrying the statement out.
   */
  async run(statement: Statement, signal?: AbortSignal): Promise<unknown> {
    signal?.throwIfAborted();
    const sql = format(statement.sql, (statement.params ?? []).map(plain), true, 'Z');
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
        this.#pending.delete(fail);
        act();
      };
      const fail = (error: unknown): void => settle(() => reject(this.#failed(statement.label, error)));
      const aborted = (): void => {
        settle(() => reject(signal?.reason as Error));
        this.destroy();
      };
      const timer = setTimeout(() => fail(new TimedOut()), statement.timeoutMs ?? this.#timeoutMs);
      signal?.addEventListener('abort', aborted);
      this.#pending.add(fail);
      this.#connection.query(sql, (error, result) => (error ? fail(error) : settle(() => resolve(result))));
    });
  }

  /** Back to the pool, unless it cannot be trusted any more. */
  release(): void {
    if (!this.#broken) {
      this.#idleSince = performance.now();
      this.#connection.release();
    }
    this.#giveBackSlot();
  }

  /** Never to be used again. The driver says nothing more to statements under way, so they are ended here. */
  destroy(): void {
    if (this.#broken) return;
    this.#broken = true;
    for (const fail of this.#pending) fail(connectionLost);
    this.#onEnd();
    this.#connection.destroy();
    // The driver only says goodbye, which a frozen server never answers: the socket would stay until TCP gives up.
    (this.#connection as unknown as { stream?: { destroy?: () => void } }).stream?.destroy?.();
  }

  #failed(label: string, error: unknown): Error {
    const failure = failureOf(label, error);
    if (failure instanceof StoreUnavailable) this.destroy();
    return failure;
  }
}

/** Seconds after which the server closes an idle connection of ours. */
export function idleSeconds(timeoutMs: number): number {
  return Math.max(2, Math.ceil((2 * timeoutMs) / 1000));
}

function plain(parameter: Parameter): string | number | boolean | null | Date | Buffer | (string | number)[] {
  if (parameter instanceof Secret) return parameter.reveal();
  if (parameter === null || typeof parameter !== 'object' || parameter instanceof Date || Buffer.isBuffer(parameter)) return parameter;
  return [...parameter];
}
