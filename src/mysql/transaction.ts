import { CommitUnknown, StoreUnavailable } from '../domain/errors.ts';
import { joined, outcomeOf, type Outcome, type Session, type Statement } from './connection.ts';
import { isDuplicateKey } from './failure.ts';
import type { Link } from './link.ts';

/** What a transaction needs of the database it runs on. */
export interface TransactionHost {
  /** Sends a statement that changes nothing for good on a link that lives; the caller releases the link. Where it is refused, what it began is rolled back. */
  begin(statement: Statement): Promise<{ readonly link: Link; readonly result: unknown }>;
  readonly run: RunOn;
}

export type RunOn = (link: Link, statement: Statement, signal?: AbortSignal) => Promise<unknown>;

/** A transaction under way. It begins with its first statement, in the same round trip. */
export interface Transaction extends Session {
  /** Adds a statement that is carried out with COMMIT, in one round trip, in the order added; its refusal rolls back. */
  last(statement: Statement): void;
}

const beginning: Statement = { label: 'transaction.begin', sql: 'START TRANSACTION' };
const ending: Statement = { label: 'transaction.commit', sql: 'COMMIT' };

/**
 * Does `work` in a transaction, then commits it, or rolls it back when `work` throws.
 * After a failure of the store the link is broken and the server rolls back by itself.
 */
export async function carryOut<T>(host: TransactionHost, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const tx = new OpenTransaction(host);
  try {
    const result = await tx.during(work);
    await tx.commit();
    return result;
  } finally {
    tx.release();
  }
}

class OpenTransaction implements Transaction {
  readonly #host: TransactionHost;
  readonly #last: Statement[] = [];
  #link: Link | undefined;
  #over = false;

  constructor(host: TransactionHost) {
    this.#host = host;
  }

  async query<T extends object>(statement: Statement, signal?: AbortSignal): Promise<T[]> {
    const [rows] = await this.all([statement], signal);
    return rows as T[];
  }

  async execute(statement: Statement, signal?: AbortSignal): Promise<Outcome> {
    const [result] = await this.all([statement], signal);
    return outcomeOf(result);
  }

  async all(statements: readonly Statement[], signal?: AbortSignal): Promise<unknown[]> {
    // A statement that nobody waited for would run in the next user's transaction.
    if (this.#over) throw new Error(`${statements[0]?.label ?? ''}: the transaction is over`);
    signal?.throwIfAborted();
    if (this.#link) return resultsOf(await this.#host.run(this.#link, joined(statements), signal), statements.length);
    const { link, result } = await this.#host.begin(joined([beginning, ...statements]));
    this.#link = link;
    return (result as unknown[]).slice(1);
  }

  last(statement: Statement): void {
    this.#last.push(statement);
  }

  async during<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    try {
      return await work(this);
    } catch (error) {
      await this.#rollBack();
      throw error;
    } finally {
      this.#over = true;
    }
  }

  /** No signal reaches COMMIT: whoever stops waiting for its answer cannot know what became of it. */
  async commit(): Promise<void> {
    const link = this.#link ?? (await this.#begin());
    // The server has lost or undone what was done before, though `work` took no notice; COMMIT is not sent.
    if (link.broken) throw new StoreUnavailable('mysql');
    try {
      await this.#host.run(link, joined([...this.#last, ending]));
    } catch (error) {
      if (!isDuplicateKey(error)) throw this.#unknown(link, error);
      await this.#rollBack();
      throw error;
    }
  }

  release(): void {
    this.#link?.release();
  }

  async #begin(): Promise<Link> {
    const { link } = await this.#host.begin(beginning);
    this.#link = link;
    return link;
  }

  #unknown(link: Link, error: unknown): CommitUnknown {
    link.destroy();
    return new CommitUnknown(error instanceof StoreUnavailable ? error.cause : error);
  }

  async #rollBack(): Promise<void> {
    if (this.#link) await rollBack(this.#link, this.#host.run);
  }
}

/** Ends a transaction on a link without its changes; a link on which that fails is not used again. */
export async function rollBack(link: Link, run: RunOn): Promise<void> {
  if (link.broken) return;
  try {
    await run(link, { label: 'transaction.rollback', sql: 'ROLLBACK' });
  } catch {
    link.destroy();
  }
}

/** The driver gives the result of a single statement bare. */
export function resultsOf(result: unknown, statements: number): unknown[] {
  return statements === 1 ? [result] : (result as unknown[]);
}
