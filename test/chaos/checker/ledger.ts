import type { Connection } from 'mysql2/promise';

import { readToken } from '../../harness/provider/token-text.ts';
import type { SystemOfRecord } from '../../harness/system-of-record.ts';
import { readHistory } from './history.ts';
import type { History, RowChange } from './history.ts';

export interface LedgerOwner {
  readonly did: number;
  readonly id: string;
  readonly policy: 'reuse_detect' | 'grace' | 'non_rotating';
  readonly graceMs: number;
  readonly tokenUrl: string;
  /** How often a failed refresh is tried again; null where the nodes' own setting counts. */
  readonly retryMax: number | null;
}

/** A row of `tsttoken`, valid or not. */
export interface LedgerRow {
  readonly version: number;
  readonly ownerDid: number;
  readonly parent: number | null;
  readonly isValid: boolean;
  readonly state: string;
  readonly attempt: string | null;
  readonly auth: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** By its tokens: `grant-3`, and how manieth they are of it. */
  readonly grantId: string;
  readonly accessSequence: number;
  readonly refreshSequence: number;
  /** Epoch ms, as the row says. */
  readonly expiresAt: number;
  readonly dueAt: number | null;
}

export interface LedgerEvent {
  readonly job: string;
  readonly status: string;
}

/** What the database says, rows, events and history, all of one moment. */
export class Ledger {
  readonly owners: ReadonlyMap<number, LedgerOwner>;
  readonly rows: readonly LedgerRow[];
  readonly history: History;
  readonly rowByVersion: ReadonlyMap<number, LedgerRow>;
  /** By the rows' versions, in the order in which they were made. */
  readonly changesOf: ReadonlyMap<number, readonly RowChange[]>;
  readonly #rowsByGrant: ReadonlyMap<string, readonly LedgerRow[]>;
  readonly #events: ReadonlyMap<string, readonly LedgerEvent[]>;

  constructor(owners: readonly LedgerOwner[], rows: readonly LedgerRow[], events: readonly LedgerEvent[], history: History) {
    this.owners = new Map(owners.map((owner) => [owner.did, owner]));
    this.rows = rows;
    this.history = history;
    this.rowByVersion = new Map(rows.map((row) => [row.version, row]));
    this.changesOf = Map.groupBy(history.changes, ({ version }) => version);
    this.#rowsByGrant = Map.groupBy(rows, (row) => grantKey(this.ownerOf(row).id, row.grantId));
    this.#events = Map.groupBy(events, ({ job }) => job);
  }

  ownerOf({ ownerDid }: Pick<LedgerRow, 'ownerDid'>): LedgerOwner {
    const owner = this.owners.get(ownerDid);
    if (!owner) throw new Error(`tsxwho has no row ${ownerDid}`);
    return owner;
  }

  /** In the order of their versions. */
  rowsOfGrant(ownerId: string, grantId: string): readonly LedgerRow[] {
    return this.#rowsByGrant.get(grantKey(ownerId, grantId)) ?? [];
  }

  /** Whether the row was never valid: another had been inserted in the place of its parent while the answer that it is made of was awaited. */
  hasStoodBack({ version }: Pick<LedgerRow, 'version'>): boolean {
    const [first] = this.changesOf.get(version) ?? [];
    return first !== undefined && first.from === undefined && !first.to.isValid;
  }

  /** The inserted row that a row descends from by refreshes. */
  rootOf(row: LedgerRow): LedgerRow {
    const parent = row.parent === null ? undefined : this.rowByVersion.get(row.parent);
    return parent ? this.rootOf(parent) : row;
  }

  /** What the history for people says of the row. */
  eventsOf(row: Pick<LedgerRow, 'ownerDid' | 'version'>): readonly LedgerEvent[] {
    return this.#events.get(`owner:${this.ownerOf(row).id} token:${row.version}`) ?? [];
  }
}

function grantKey(ownerId: string, grantId: string): string {
  return JSON.stringify([ownerId, grantId]);
}

/** Tokens must stand in the clear. */
export async function readLedger(record: SystemOfRecord): Promise<Ledger> {
  return record.withConnection(async (connection) => {
    await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    await connection.query('START TRANSACTION WITH CONSISTENT SNAPSHOT');
    const [owners] = await connection.query('SELECT tsxwhodid AS did, TRIM(ownerid) AS id, providerpolicy AS policy, gracems AS graceMs, TRIM(tokenurl) AS tokenUrl, retrymax AS retryMax FROM tsxwho');
    const [events] = await connection.query('SELECT jobname AS job, status FROM tstevent ORDER BY eventdid');
    return new Ledger(owners as LedgerOwner[], await readRows(connection), events as LedgerEvent[], await readHistory(connection));
  });
}

interface TokenRow {
  tokendid: number;
  tsxwhodid: number;
  parenttokendid: number | null;
  valid: number;
  state: string;
  attempt: string | null;
  tokenauth: string;
  accesstoken: string | null;
  refreshtoken: string | null;
  createdms: number;
  tokenvalidity: number;
  dueat: number | null;
}

async function readRows(connection: Connection): Promise<LedgerRow[]> {
  const [rows] = await connection.query(`SELECT tokendid, tsxwhodid, parenttokendid, isvalid + 0 AS valid, state, attempt, tokenauth, accesstoken, refreshtoken,
    ROUND(UNIX_TIMESTAMP(createdtime) * 1000) AS createdms, tokenvalidity, dueat FROM tsttoken ORDER BY tokendid`);
  return (rows as TokenRow[]).map(rowOf);
}

function rowOf(row: TokenRow): LedgerRow {
  const [accessToken, refreshToken] = [row.accesstoken?.trim() ?? '', row.refreshtoken?.trim() ?? ''];
  const [access, refresh] = [readToken('at', accessToken), readToken('rt', refreshToken)];
  return {
    version: row.tokendid,
    ownerDid: row.tsxwhodid,
    parent: row.parenttokendid,
    isValid: row.valid === 1,
    state: row.state,
    attempt: row.attempt,
    auth: row.tokenauth.trim(),
    accessToken,
    refreshToken,
    grantId: `grant-${refresh?.grantIndex ?? access?.grantIndex ?? 0}`,
    accessSequence: access?.sequence ?? 0,
    refreshSequence: refresh?.sequence ?? 0,
    expiresAt: Number(row.createdms) + Number(row.tokenvalidity),
    dueAt: row.dueat === null ? null : Number(row.dueat),
  };
}
