import { CommitUnknown, StoreUnavailable } from '../domain/errors.ts';
import { outcomeOf } from './connection.ts';
import type { Outcome, Session, Statement } from './connection.ts';
import type { Link } from './link.ts';

type Run = (statement: Statement, signal?: AbortSignal) => Promise<unknown>;

/**
 * Does `work` in the transaction that was begun on the link, then commits it, or rolls it back when `work` throws.
 * After a failure of the store the link is broken and the server rolls back by itself.
 */
export async function carryOut<T>(link: Link, run: Run, work: (tx: Session) => Promise<T>): Promise<T> {
  const tx = new Transaction(run);
  let result: T;
  try {
    result = await work(tx);
  } catch (error) {
    tx.end();
    await rollBack(link, run);
    throw error;
  }
  tx.end();
  await commit(link, run);
  return result;
}

/** No signal reaches COMMIT: whoever stops waiting for its answer cannot know what became of it. */
async function commit(link: Link, run: Run): Promise<void> {
  // The server has lost or undone what was done before, though `work` took no notice; COMMIT is not sent.
  if (link.broken) throw new StoreUnavailable('mysql');
  try {
    await run({ label: 'transaction.commit', sql: 'COMMIT' });
  } catch (error) {
    link.destroy();
    throw new CommitUnknown(error instanceof StoreUnavailable ? error.cause : error);
  }
}

async function rollBack(link: Link, run: Run): Promise<void> {
  if (link.broken) return;
  try {
    await run({ label: 'transaction.rollback', sql: 'ROLLBACK' });
  } catch {
    link.destroy();
  }
}

class Transaction implements Session {
  readonly #run: Run;
  #over = false;

  constructor(run: Run) {
    this.#run = run;
  }

  async query<T extends object>(statement: Statement, signal?: AbortSignal): Promise<T[]> {
    this.#check(statement);
    return (await this.#run(statement, signal)) as T[];
  }

  async execute(statement: Statement, signal?: AbortSignal): Promise<Outcome> {
    this.#check(statement);
    return outcomeOf(await this.#run(statement, signal));
  }

  end(): void {
    this.#over = true;
  }

  /** A statement that nobody waited for would run in the next user's transaction. */
  #check(statement: Statement): void {
    if (this.#over) throw new Error(`${statement.label}: the transaction is over`);
  }
}
