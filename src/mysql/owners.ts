import { providerPolicies, refreshModes, type Owner } from '../domain/owner.ts';
import type { Session, Statement } from './connection.ts';

/** What counts where a row of `tsxwho` says nothing. */
export interface OwnerDefaults {
  readonly retryMax: number;
  readonly retryDelayMs: number;
}

interface OwnerRow {
  tsxwhodid: number;
  ownerid: string;
  tokenurl: string;
  defaultconnectionresettime: number | null;
  retrymax: number | null;
  retrydelay: number | null;
  refreshmode: string;
  providerpolicy: string;
  gracems: number;
}

const columns = 'tsxwhodid, ownerid, tokenurl, defaultconnectionresettime, retrymax, retrydelay, refreshmode, providerpolicy, gracems';

/** Reads `tsxwho`. */
export class OwnerTable {
  readonly #defaults: OwnerDefaults;

  constructor(defaults: OwnerDefaults) {
    this.#defaults = defaults;
  }

  async all(session: Session, signal?: AbortSignal): Promise<Owner[]> {
    const rows = await session.query<OwnerRow>({ label: 'owners.all', sql: `SELECT ${columns} FROM tsxwho WHERE isvalid = 1 ORDER BY tsxwhodid`, timeoutMs: 30_000 }, signal);
    return rows.map((row) => this.#toOwner(row));
  }

  /** @param ownerId trimmed; ids in the table may carry blanks around them */
  async byId(session: Session, ownerId: string, signal?: AbortSignal): Promise<Owner | undefined> {
    const exact = { label: 'owners.byId', sql: `SELECT ${columns} FROM tsxwho WHERE ownerid = ? AND isvalid = 1`, params: [ownerId] };
    const trimmed = { label: 'owners.byTrimmedId', sql: `SELECT ${columns} FROM tsxwho WHERE TRIM(ownerid) = ? AND isvalid = 1`, params: [ownerId] };
    const rows = await session.query<OwnerRow>(exact, signal);
    const [row] = rows.length > 0 ? rows : await session.query<OwnerRow>(trimmed, signal);
    return row && this.#toOwner(row);
  }

  /** The ids of owners that have nothing to hand out: they, or all their tokens, are not valid. */
  async idsWithoutToken(session: Session, signal?: AbortSignal): Promise<string[]> {
    const sql = `SELECT w.ownerid FROM tsxwho w WHERE w.isvalid IS NULL OR w.isvalid = 0
      OR NOT EXISTS (SELECT 1 FROM tsttoken t WHERE t.tsxwhodid = w.tsxwhodid AND t.isvalid = 1)`;
    const rows = await session.query<{ ownerid: string }>({ label: 'owners.withoutToken', sql, timeoutMs: 30_000 }, signal);
    return rows.map(({ ownerid }) => ownerid.trim());
  }

  byDidStatement(did: number): Statement {
    return { label: 'owners.byDid', sql: `SELECT ${columns} FROM tsxwho WHERE tsxwhodid = ? AND isvalid = 1`, params: [did] };
  }

  /** @param rows what the statement above brought */
  read(rows: unknown): Owner | undefined {
    const [row] = rows as OwnerRow[];
    return row && this.#toOwner(row);
  }

  async byDid(session: Session, did: number): Promise<Owner | undefined> {
    return this.read(await session.query(this.byDidStatement(did)));
  }

  async countValid(session: Session): Promise<number> {
    const [row] = await session.query<{ n: number }>({ label: 'owners.count', sql: 'SELECT COUNT(*) AS n FROM tsxwho WHERE isvalid = 1' });
    return Number(row?.n ?? 0);
  }

  #toOwner(row: OwnerRow): Owner {
    return {
      did: row.tsxwhodid,
      id: row.ownerid.trim(),
      tokenUrl: row.tokenurl.trim(),
      resetTimeMs: row.defaultconnectionresettime ?? 0,
      retryMax: row.retrymax ?? this.#defaults.retryMax,
      retryDelayMs: row.retrydelay ?? this.#defaults.retryDelayMs,
      refreshMode: refreshModes.find((mode) => mode === row.refreshmode) ?? 'auto',
      providerPolicy: providerPolicies.find((policy) => policy === row.providerpolicy) ?? 'reuse_detect',
      graceMs: row.gracems,
    };
  }
}
