import { Secret } from '../domain/secret.ts';
import { boundedValidity, tokenStates, type Token } from '../domain/token.ts';
import { Unsealable, type Fingerprints } from '../runtime/key-ring.ts';
import type { Logger } from '../runtime/log.ts';
import type { Session, Statement } from './connection.ts';
import type { StoredColumns, TokenSealing } from './token-sealing.ts';

interface TokenRow extends StoredColumns {
  tokendid: number;
  tsxwhodid: number;
  tokenvalidity: number;
  createdms: number;
  state: string;
  uc: number;
  attempt: string | null;
  attemptepoch: number | null;
  statesincems: number | null;
  retrycount: number;
  dueat: number | null;
}

const selectValid = `SELECT t.tokendid, t.tsxwhodid, t.tokenauth, t.tokenvalidity, t.accesstoken, t.refreshtoken,
  ROUND(UNIX_TIMESTAMP(t.createdtime) * 1000) AS createdms, t.state, COALESCE(t.uc, 0) AS uc, t.attempt, t.attemptepoch,
  ROUND(UNIX_TIMESTAMP(t.statesince) * 1000) AS statesincems, t.retrycount, t.dueat
  FROM tsttoken t JOIN tsxwho w ON w.tsxwhodid = t.tsxwhodid AND w.isvalid = 1 WHERE t.isvalid = 1`;

/** Reads valid rows of `tsttoken`, and writes what is not a change of state. */
export class TokenTable {
  readonly #sealing: TokenSealing;
  readonly #prints: Fingerprints;
  readonly #logger: Logger;

  constructor(sealing: TokenSealing, prints: Fingerprints, logger: Logger) {
    this.#sealing = sealing;
    this.#prints = prints;
    this.#logger = logger;
  }

  /** The current token of each slot of the owner. */
  async ofOwner(session: Session, ownerDid: number, signal?: AbortSignal): Promise<Token[]> {
    return this.readCurrent(await session.query(this.ofOwnerStatement(ownerDid), signal));
  }

  /** The current tokens of the owner's slots, and valid rows that a newer one stands before. */
  async allOfOwner(session: Session, ownerDid: number): Promise<{ readonly current: Token[]; readonly shadowed: Token[] }> {
    const all = this.#toTokens(await session.query<TokenRow>(this.ofOwnerStatement(ownerDid)));
    const current = currentOfEachSlot(all);
    return { current, shadowed: all.filter((token) => !current.includes(token)) };
  }

  ofOwnerStatement(ownerDid: number): Statement {
    return { label: 'tokens.ofOwner', sql: `${selectValid} AND t.tsxwhodid = ? ORDER BY t.tokendid`, params: [ownerDid] };
  }

  /** @param rows what the statement above brought */
  readCurrent(rows: unknown): Token[] {
    return currentOfEachSlot(this.#toTokens(rows as TokenRow[]));
  }

  /** Valid rows with an id above `after`, in the order of their ids. */
  async page(session: Session, after: number, size: number, signal?: AbortSignal): Promise<Token[]> {
    return this.#toTokens(await this.#rows(session, 'tokens.page', 'AND t.tokendid > ? ORDER BY t.tokendid LIMIT ?', [after, size], signal));
  }

  async byVersion(session: Session, version: number): Promise<Token | undefined> {
    return this.#toTokens(await this.#rows(session, 'tokens.byVersion', 'AND t.tokendid = ?', [version]))[0];
  }

  /** Idle rows whose next action was due before `before` (epoch ms). */
  async due(session: Session, before: number, limit: number): Promise<Token[]> {
    return this.#toTokens(await this.#rows(session, 'tokens.due', "AND t.state = 'idle' AND t.dueat <= ? ORDER BY t.dueat LIMIT ?", [before, limit]));
  }

  /** Rows for which nothing was planned yet: inserted by an operator, or restarted. */
  async unplanned(session: Session, limit: number): Promise<Token[]> {
    return this.#toTokens(await this.#rows(session, 'tokens.unplanned', "AND t.state = 'idle' AND t.dueat IS NULL LIMIT ?", [limit]));
  }

  async unplannedOf(session: Session, ownerDid: number): Promise<Token[]> {
    return this.#toTokens(await this.#rows(session, 'tokens.unplannedOf', "AND t.state = 'idle' AND t.dueat IS NULL AND t.tsxwhodid = ?", [ownerDid]));
  }

  /** Rows with an attempt under way, the oldest attempts first. */
  async underWay(session: Session, limit: number): Promise<Token[]> {
    return this.#toTokens(await this.#rows(session, 'tokens.underWay', "AND t.state IN ('claimed', 'sending') ORDER BY t.statesince LIMIT ?", [limit]));
  }

  /** Rows in doubt: first those of which the owner's policy says that the provider may be asked again, and of these the oldest attempts. */
  async inDoubt(session: Session, limit: number): Promise<Token[]> {
    const mayBeAsked = "w.providerpolicy = 'non_rotating' OR (w.providerpolicy = 'grace' AND t.statesince > NOW(3) - INTERVAL w.gracems * 1000 MICROSECOND)";
    return this.#toTokens(await this.#rows(session, 'tokens.inDoubt', `AND t.state = 'in_doubt' ORDER BY (${mayBeAsked}) DESC, t.statesince LIMIT ?`, [limit]));
  }

  /** Sets when idle rows are due (epoch ms). */
  async plan(session: Session, plans: readonly { readonly version: number; readonly dueAt: number }[]): Promise<void> {
    if (plans.length === 0) return;
    const cases = plans.map(() => 'WHEN ? THEN ?').join(' ');
    const params = [...plans.flatMap(({ version, dueAt }) => [version, dueAt]), plans.map(({ version }) => version)];
    await session.execute({ label: 'tokens.plan', sql: `UPDATE tsttoken SET dueat = CASE tokendid ${cases} ELSE dueat END WHERE tokendid IN (?) AND state = 'idle'`, params });
  }

  /** Whether a row is still held by the attempt. */
  async isInAttempt(session: Session, attempt: string): Promise<boolean> {
    const sql = "SELECT tokendid FROM tsttoken WHERE attempt = ? AND isvalid = 1 AND state IN ('claimed', 'sending', 'in_doubt')";
    return (await session.query({ label: 'tokens.isInAttempt', sql, params: [attempt] })).length > 0;
  }

  /** Those of the attempts that hold a valid row, whatever state it is in. */
  async holding(session: Session, attempts: readonly string[], signal?: AbortSignal): Promise<string[]> {
    if (attempts.length === 0) return [];
    const sql = 'SELECT attempt FROM tsttoken WHERE attempt IN (?) AND isvalid = 1';
    return (await session.query<{ attempt: string }>({ label: 'tokens.holding', sql, params: [[...attempts]] }, signal)).map(({ attempt }) => attempt);
  }

  /** The row that replaced this one by a refresh, valid or not. */
  async childOf(session: Session, version: number): Promise<number | undefined> {
    const sql = 'SELECT tokendid FROM tsttoken WHERE parenttokendid = ?';
    return (await session.query<{ tokendid: number }>({ label: 'tokens.child', sql, params: [version] }))[0]?.tokendid;
  }

  /** Whether a row of this id was there and is valid no more. */
  async wasReplaced(session: Session, ownerDid: number, version: number): Promise<boolean> {
    const sql = 'SELECT tokendid FROM tsttoken WHERE tokendid = ? AND tsxwhodid = ? AND isvalid = 0';
    return (await session.query({ label: 'tokens.replaced', sql, params: [version, ownerDid] })).length > 0;
  }

  /** Seals the secrets of rows that somebody inserted in the clear; one that cannot be is left as it is. @returns how many rows were written */
  async sealTouched(session: Session, versions: readonly number[]): Promise<number> {
    if (versions.length === 0) return 0;
    const sql = 'SELECT tokendid, tokenauth, accesstoken, refreshtoken FROM tsttoken WHERE tokendid IN (?)';
    const rows = await session.query<TokenRow>({ label: 'tokens.stored', sql, params: [[...versions]] });
    let sealed = 0;
    for (const row of rows) if (await this.#sealRow(session, row)) sealed++;
    return sealed;
  }

  async #sealRow(session: Session, row: TokenRow): Promise<boolean> {
    try {
      return await this.#sealing.sealRow(session, row.tokendid, row);
    } catch (error) {
      if (!(error instanceof Unsealable)) throw error;
      this.#logger.error({ version: row.tokendid, reason: error.message }, 'A token cannot be sealed');
      return false;
    }
  }

  async #rows(session: Session, label: string, where: string, params: readonly number[], signal?: AbortSignal): Promise<TokenRow[]> {
    return session.query<TokenRow>({ label, sql: `${selectValid} ${where}`, params }, signal);
  }

  #toTokens(rows: readonly TokenRow[]): Token[] {
    return rows.flatMap((row) => {
      try {
        return [this.#toToken(row)];
      } catch (error) {
        if (!(error instanceof Unsealable)) throw error;
        this.#logger.error({ version: row.tokendid, reason: error.message }, 'A token cannot be read and is left out: add its key to sealing.keys');
        return [];
      }
    });
  }

  #toToken(row: TokenRow): Token {
    const secrets = this.#sealing.read(row.tokendid, row);
    const auth = new Secret(secrets.tokenauth?.reveal().trim() ?? '');
    return {
      version: row.tokendid,
      ownerDid: row.tsxwhodid,
      slot: this.#prints.slotOf(row.tsxwhodid, auth),
      auth,
      accessToken: trimmed(secrets.accesstoken),
      refreshToken: trimmed(secrets.refreshtoken),
      issuedAt: Number(row.createdms),
      validityMs: boundedValidity(row.tokenvalidity),
      state: tokenStates.find((state) => state === row.state) ?? 'stopped',
      uc: Number(row.uc),
      attempt: row.attempt,
      attemptEpoch: row.attemptepoch,
      stateSince: row.statesincems === null ? null : Number(row.statesincems),
      retryCount: row.retrycount,
      dueAt: row.dueat,
    };
  }
}

function trimmed(secret: Secret | null): Secret | null {
  const value = secret?.reveal().trim();
  return value ? new Secret(value) : null;
}

/** Where several valid rows share a slot, the newest counts: it was inserted to replace the others. */
export function currentOfEachSlot(tokens: readonly Token[]): Token[] {
  const current = new Map<string, Token>();
  for (const token of tokens) {
    const other = current.get(token.slot);
    if (!other || token.version > other.version) current.set(token.slot, token);
  }
  return [...current.values()];
}
