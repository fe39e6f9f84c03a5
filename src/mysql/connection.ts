import type { Secret } from '../domain/secret.ts';
import type { Logger } from '../runtime/log.ts';
import { ConnectionPool } from './connection-pool.ts';
import { isConnectionLost } from './failure.ts';
import type { Link } from './link.ts';
import { carryOut, resultsOf, rollBack, type RunOn, type Transaction } from './transaction.ts';

export interface DatabaseOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: Secret;
  readonly schema: string;
  /** Absent: no TLS. `verify` checks the certificate and that it is the host's; `ca` is PEM, absent: the system's. */
  readonly tls?: { readonly verify: boolean; readonly ca?: string };
  /** Connections in use at once, 1 or more. */
  readonly connectionLimit: number;
  /** Longest wait for a connection, and again for the answer to a statement, in ms. */
  readonly queryTimeoutMs: number;
  /** Told of every statement: its label, how long it took in seconds, and whether it was answered without an error. */
  readonly observe?: (operation: string, seconds: number, ok: boolean) => void;
}

export type Parameter = string | number | boolean | null | Date | Buffer | Secret | readonly (string | number)[];

export interface Statement {
  /** Static name for logs, metrics and errors, such as `tokens.valid`. */
  readonly label: string;
  readonly sql: string;
  /** One for each `?`; an array fills an `IN (?)`. */
  readonly params?: readonly Parameter[];
  /** Where the statement may take longer, or less long, than the rest; in ms. */
  readonly timeoutMs?: number;
}

/** `affectedRows` counts the rows that were found, changed or not: a compare-and-set must change a column of its WHERE. */
export interface Outcome {
  readonly affectedRows: number;
  readonly insertId: number;
}

/**
 * Where statements run. bit(1) comes as boolean, timestamps as `Date`, bigint as number (as string beyond 2^53), binary as `Buffer`.
 * @throws StoreUnavailable where the database cannot serve; StatementFailed (see `isDuplicateKey`) where it refuses the statement;
 *   the signal's reason when aborted. No error carries SQL or a parameter.
 */
export interface Session {
  query<T extends object>(statement: Statement, signal?: AbortSignal): Promise<T[]>;
  /** After a StoreUnavailable it is not known whether the statement was carried out. */
  execute(statement: Statement, signal?: AbortSignal): Promise<Outcome>;
  /**
   * Several statements in one round trip, in order; the first that is refused ends it. Gives what each brought: rows, or an outcome (`outcomeOf`).
   * Outside a transaction for reads only, which may be repeated.
   */
  all(statements: readonly Statement[], signal?: AbortSignal): Promise<unknown[]>;
}

export interface Database extends Session {
  /**
   * Commits what `work` did, or rolls all of it back when it throws.
   * @throws CommitUnknown when COMMIT failed or was not answered; every other error means that nothing was changed.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Waits for statements under way, then closes all connections. */
  close(): Promise<void>;
}

/** Connects on first use, so it never fails. */
export function openDatabase(options: DatabaseOptions, logger: Logger): Database {
  return new PooledDatabase(options, logger);
}

class PooledDatabase implements Database {
  readonly #pool: ConnectionPool;
  readonly #observe: NonNullable<DatabaseOptions['observe']>;
  readonly #logger: Logger;
  #closing: Promise<void> | undefined;

  constructor(options: DatabaseOptions, logger: Logger) {
    this.#pool = new ConnectionPool(options);
    this.#observe = options.observe ?? (() => undefined);
    this.#logger = logger;
  }

  async query<T extends object>(statement: Statement, signal?: AbortSignal): Promise<T[]> {
    const { link, result } = await this.#onLiveLink(statement, signal);
    link.release();
    return result as T[];
  }

  async execute(statement: Statement, signal?: AbortSignal): Promise<Outcome> {
    const link = await this.#take(statement.label, signal);
    try {
      return outcomeOf(await this.#run(link, statement, signal));
    } finally {
      link.release();
    }
  }

  async all(statements: readonly Statement[], signal?: AbortSignal): Promise<unknown[]> {
    const { link, result } = await this.#onLiveLink(joined(statements), signal);
    link.release();
    return resultsOf(result, statements.length);
  }

  async transaction<T>(work: (tx: Transaction) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const host = {
      begin: (statement: Statement) => this.#onLiveLink(statement, signal, rollBack),
      run: (link: Link, statement: Statement, abort?: AbortSignal) => this.#run(link, statement, abort),
    };
    return carryOut(host, work);
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#pool.close());
  }

  /**
   * Repeats a statement that changes nothing when its connection had died in the pool: on the next one, until a fresh one.
   * The caller releases the link.
   * @param undo ends what the statement may have begun before it was refused: else the link would go back to the pool with it
   */
  async #onLiveLink(statement: Statement, signal?: AbortSignal, undo?: (link: Link, run: RunOn) => Promise<void>): Promise<{ link: Link; result: unknown }> {
    for (;;) {
      const link = await this.#take(statement.label, signal);
      try {
        return { link, result: await this.#run(link, statement, signal) };
      } catch (error) {
        await undo?.(link, (on, ended) => this.#run(on, ended));
        link.release();
        if (!link.reused || !isConnectionLost(error)) throw error;
        this.#logger.debug({ operation: statement.label }, 'A pooled MySQL connection was dead; asking again on another');
      }
    }
  }

  /** A database that gives no connection is one that did not answer; a caller who left is not. */
  async #take(label: string, signal?: AbortSignal): Promise<Link> {
    const start = performance.now();
    try {
      return await this.#pool.take(label, signal);
    } catch (error) {
      if (!signal?.aborted) this.#observe(label, (performance.now() - start) / 1000, false);
      throw error;
    }
  }

  async #run(link: Link, statement: Statement, signal?: AbortSignal): Promise<unknown> {
    const start = performance.now();
    let ok = false;
    try {
      const result = await link.run(statement, signal);
      ok = true;
      return result;
    } finally {
      this.#observe(statement.label, (performance.now() - start) / 1000, ok);
    }
  }
}

/** Several statements as one text, named after the last that is more than the beginning or end of a transaction. */
export function joined(statements: readonly Statement[]): Statement {
  const named = statements.findLast(({ label }) => !label.startsWith('transaction.')) ?? statements[0];
  return {
    label: named?.label ?? '',
    sql: statements.map(({ sql }) => sql).join(';\n'),
    params: statements.flatMap(({ params }) => params ?? []),
    ...(named?.timeoutMs === undefined ? {} : { timeoutMs: named.timeoutMs }),
  };
}

export function outcomeOf(result: unknown): Outcome {
  const { affectedRows = 0, insertId = 0 } = result as Partial<Outcome>;
  return { affectedRows, insertId };
}
