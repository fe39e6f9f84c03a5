import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { createPool } from 'mysql2/promise';
import type { Pool, ResultSetHeader, RowDataPacket } from 'mysql2/promise';

import { fieldsOf, refreshByHand } from '../harness/provider/refresh-by-hand.ts';
import type { PlainAnswer } from '../harness/provider/refresh-by-hand.ts';
import type { MariaDb } from '../harness/stores.ts';

interface Row extends RowDataPacket {
  readonly tokendid: number;
  readonly tsxwhodid: number;
  readonly ownerid: string;
  readonly tokenurl: string;
  readonly retrydelay: number;
  readonly defaultconnectionresettime: number;
  readonly tokenauth: string;
  readonly tokenvalidity: number;
  readonly accesstoken: string;
  readonly refreshtoken: string;
  readonly createdtime: Date;
}

/** A token in the memory of the old service. */
interface Held { row: Row; valid: boolean; handedOutAt: number }

const pollMs = 20;

/**
 * The single master of version 1.1.8 as its database, its providers and its callers see it: it reads the database when it starts
 * and never again, refreshes by timers, writes each step of a refresh for itself and without a transaction, and hands a token out
 * no more from the moment its refresh begins. When it ends, what it was doing is lost.
 */
export class JavaMaster {
  /** When it had written a row, epoch ms, by the access token. */
  readonly savedAt = new Map<string, number>();
  readonly #database: Pool;
  readonly #leadMs: number;
  readonly #held: Held[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #server: Server;
  readonly #over = new AbortController();

  constructor({ host, port, user, password }: MariaDb, schema: string, leadMs: number) {
    this.#database = createPool({ host, port, user, password, database: schema, timezone: 'Z', connectionLimit: 10 });
    this.#leadMs = leadMs;
    this.#server = createServer((request, response) => { void this.#answer(request, response); });
  }

  get appUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** It has no other port: a balancer may ask this one whether it is ready. */
  get adminUrl(): string {
    return this.appUrl;
  }

  async start(): Promise<void> {
    const sql = 'SELECT T.*, W.ownerid, W.tokenurl, W.retrydelay, W.defaultconnectionresettime FROM tsttoken T INNER JOIN tsxwho W ON T.tsxwhodid = W.tsxwhodid WHERE W.isvalid = 1 AND T.isvalid = 1';
    for (const row of (await this.#database.query<Row[]>(sql))[0]) {
      const held = { row, valid: true, handedOutAt: 0 };
      this.#held.push(held);
      this.#schedule(held);
    }
    await new Promise<void>((resolve) => { this.#server.listen(0, '127.0.0.1', resolve); });
  }

  /** The end of its process, orderly or not: it waits for nothing. */
  async end(): Promise<void> {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#database.end();
  }

  #schedule(held: Held): void {
    const { tokenvalidity, createdtime } = held.row;
    const timer = setTimeout(() => { void this.#refresh(held); }, Math.max(1, Number(tokenvalidity) - this.#leadMs - (Date.now() - createdtime.getTime())));
    this.#timers.add(timer);
  }

  async #refresh(held: Held): Promise<void> {
    held.valid = false;
    while (isInUse(held) && !isExpired(held.row)) await sleep(held.row.defaultconnectionresettime);
    const fresh = await this.#regenerate(held.row, 0).catch(() => undefined);
    if (fresh === undefined) return;
    Object.assign(held, { row: fresh, valid: true });
    this.#schedule(held);
  }

  async #regenerate(row: Row, failures: number): Promise<Row | undefined> {
    const answer = await this.#ask(row);
    if (answer === 'over') return undefined;
    if (answer === 'unreachable') {
      await this.#database.query('UPDATE tsxwho SET reattmptcount = ? WHERE tsxwhodid = ?', [failures + 1, row.tsxwhodid]);
      await sleep(row.retrydelay);
      return this.#regenerate(row, failures + 1);
    }
    const { access_token: access, refresh_token: refresh, expires_in: seconds } = fieldsOf(answer);
    if (refresh === undefined) throw new Error('refused');
    return this.#save(row, access, refresh, 1000 * Number(seconds));
  }

  async #ask(row: Row): Promise<PlainAnswer | 'unreachable' | 'over'> {
    const { signal } = this.#over;
    const request = { tokenUrl: row.tokenurl, tokenAuth: row.tokenauth, refreshToken: row.refreshtoken };
    return refreshByHand(request, signal).catch(() => (signal.aborted ? 'over' : 'unreachable'));
  }

  async #save(row: Row, access: string, refresh: string, validityMs: number): Promise<Row> {
    await this.#database.query('UPDATE tsxwho SET reattmptcount = 0 WHERE tsxwhodid = ?', [row.tsxwhodid]);
    await this.#database.query('UPDATE tsttoken SET isvalid = 0 WHERE tokendid = ?', [row.tokendid]);
    const insert = 'INSERT INTO tsttoken (tsxwhodid, tokenauth, tokenvalidity, isvalid, accesstoken, refreshtoken, parenttokendid) VALUES (?, ?, ?, 1, ?, ?, ?)';
    const [{ insertId }] = await this.#database.query<ResultSetHeader>(insert, [row.tsxwhodid, row.tokenauth, validityMs, access, refresh, row.tokendid]);
    this.savedAt.set(access, Date.now());
    await this.#database.query("INSERT INTO tstevent (jobname, text, event, status) VALUES ('CREATE_NEW_TOKEN', ?, 2002, 4003)", [`${access}|${refresh}`]);
    const [[saved]] = await this.#database.query<Row[]>('SELECT * FROM tsttoken WHERE tokendid = ?', [insertId]);
    return { ...row, ...saved! };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/ready') return void response.end('ready');
    const ownerId = decodeURIComponent(request.url?.split('/').at(-1) ?? '');
    for (;;) {
      const held = this.#held.find(({ row, valid }) => row.ownerid === ownerId && valid && !isExpired(row));
      if (held) {
        held.handedOutAt = Date.now();
        return void response.end(held.row.accesstoken);
      }
      await sleep(pollMs);
    }
  }
}

function isExpired({ createdtime, tokenvalidity }: Row): boolean {
  return createdtime.getTime() + Number(tokenvalidity) <= Date.now();
}

function isInUse({ row, handedOutAt }: Held): boolean {
  return Date.now() - handedOutAt < row.defaultconnectionresettime;
}
