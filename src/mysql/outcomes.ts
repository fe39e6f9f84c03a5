import { events, statuses, type HistoryEvent } from '../domain/event.ts';
import type { Secret } from '../domain/secret.ts';
import { boundedValidity } from '../domain/token.ts';
import { isRepeated, unspend, unspending } from './claims.ts';
import { outcomeOf, type Database, type Session } from './connection.ts';
import { appendEvents, eventsStatement } from './events.ts';
import { isDuplicateKey } from './failure.ts';
import { insertedMeanwhileStatement, replacementAmong, type InsertedRow } from './inserted-meanwhile.ts';
import type { Transaction } from './transaction.ts';
import type { SecretColumns, StoredColumns, TokenSealing } from './token-sealing.ts';

/** A provider's answer, complete: what a new row of `tsttoken` is made of. */
export interface NewToken {
  readonly attempt: string;
  /** The row that was refreshed. */
  readonly version: number;
  readonly accessToken: Secret;
  /** null keeps the one that was sent. */
  readonly refreshToken: Secret | null;
  /** null keeps the lifetime of the row that was refreshed. */
  readonly validityMs: number | null;
  /** Epoch ms by the database's clock when the request was sent. */
  readonly issuedAt: number;
  /** When the new token is to be refreshed, from its lifetime. */
  readonly dueAt: (validityMs: number) => number;
}

export type RecordResult =
  | { readonly kind: 'recorded'; readonly version: number; readonly validityMs: number; readonly dueAt: number }
  /** The attempt was recorded before, by whoever; what the row says, while it is valid. */
  | { readonly kind: 'known'; readonly version: number; readonly standing: { readonly validityMs: number; readonly dueAt: number } | undefined }
  /** The row has moved on by another attempt, or another was inserted in its place: this answer is not needed. */
  | { readonly kind: 'superseded' };

/** What becomes of a row whose attempt failed. */
export interface Release {
  readonly version: number;
  readonly ownerDid: number;
  readonly attempt: string;
  readonly state: 'idle' | 'stopped' | 'dead';
  readonly retryCount: number;
  readonly dueAt: number | null;
  readonly event: HistoryEvent;
  /** Nothing left by this attempt: a claim on a row that may have been in doubt before it. */
  readonly isUnsent?: boolean;
}

interface ParentRow extends StoredColumns {
  tsxwhodid: number;
  tokenvalidity: number;
  isvalid: boolean;
  attempt: string | null;
  retrycount: number;
}

interface ChildRow {
  tokendid: number;
  isvalid: boolean;
  uc: number;
  tokenvalidity: number;
  dueat: number | null;
}

/** What a child is made of beside the answer. */
interface Child {
  readonly tsxwhodid: number;
  /** Of its parent. */
  readonly stored: SecretColumns;
  readonly validityMs: number;
  /** null: it stands back. */
  readonly dueAt: number | null;
}

/** Writes how attempts ended. Guarded by the attempt id alone: a node that is no longer master still stores what it was given. */
export class OutcomeTable {
  readonly #db: Database;
  readonly #sealing: TokenSealing;

  constructor(db: Database, sealing: TokenSealing) {
    this.#db = db;
    this.#sealing = sealing;
  }

  /**
   * Replaces the row by its child, which stands back, invalid, where an operator inserted another row in the place of the first meanwhile.
   * May be repeated until it succeeds: the second time says `known`.
   * @param further what the history is to say of it beside the usual
   * @throws StoreUnavailable, CommitUnknown: repeat it
   */
  async record(token: NewToken, job: string, further: readonly HistoryEvent[] = []): Promise<RecordResult> {
    try {
      return await this.#db.transaction((tx) => this.#replace(tx, token, job, further));
    } catch (error) {
      if (!isDuplicateKey(error, 'uk01tsttoken')) throw error;
      return this.#whatStands(this.#db, token);
    }
  }

  /**
   * Where the refresh token had been sent before this attempt too, the row stays in doubt instead of becoming idle or stopped:
   * that this attempt did not use the token says nothing of the one before. It is written once, by whoever has word of it first.
   * @returns false where the attempt no longer holds the row, or was released so
   */
  async release(release: Release): Promise<boolean> {
    return this.#db.transaction(async (tx) => {
      const repeated = await isRepeated(tx, release.version, release.attempt);
      const doubtful = repeated && release.state !== 'dead';
      const set = doubtful ? "state = 'in_doubt'" : 'state = ?, attempt = NULL, statesince = NOW(3)';
      const sql = `UPDATE tsttoken SET ${set}, retrycount = ?, dueat = ?, uc = COALESCE(uc, 0) + 1
        WHERE tokendid = ? AND attempt = ? AND state IN (?)`;
      const from = doubtful && !release.isUnsent ? ['claimed', 'sending'] : ['claimed', 'sending', 'in_doubt'];
      const params = [...(doubtful ? [] : [release.state]), release.retryCount, release.dueAt, release.version, release.attempt, from];
      const { affectedRows } = await tx.execute({ label: 'outcomes.release', sql, params });
      if (affectedRows !== 1) return false;
      if (!repeated) await unspend(tx, release.attempt);
      await mirrorRetryCount(tx, release.ownerDid, await lockOwner(tx, release.ownerDid));
      await appendEvents(tx, [release.event]);
      return true;
    });
  }

  async #replace(tx: Transaction, token: NewToken, job: string, further: readonly HistoryEvent[]): Promise<RecordResult> {
    const sql = 'SELECT tsxwhodid, tokenauth, accesstoken, refreshtoken, tokenvalidity, isvalid, attempt, retrycount FROM tsttoken WHERE tokendid = ? FOR UPDATE';
    const [rows, inserted] = await tx.all([{ label: 'outcomes.parent', sql, params: [token.version] }, insertedMeanwhileStatement(token.version)]);
    const [parent] = rows as ParentRow[];
    // Whatever state the row is in: the answer proves that the request was sent, though a database that failed over may have lost the mark.
    const held = parent?.isvalid === true && parent.attempt === token.attempt;
    if (!parent || !held) return this.#whatStands(tx, token);
    const hadFailed = parent.retrycount > 0;
    // First, since the statements below take a shared lock on the owner's row (its foreign key), which two at once could not make exclusive.
    const shown = hadFailed ? await lockOwner(tx, parent.tsxwhodid) : null;
    const stored = this.#sealing.read(token.version, parent);
    // Once more where the owner's lock was waited for: an insert that was not committed yet may have been what held it.
    const since = hadFailed ? await tx.query<InsertedRow>(insertedMeanwhileStatement(token.version)) : (inserted as InsertedRow[]);
    const replacement = replacementAmong(since, stored, this.#sealing);
    const validityMs = token.validityMs ?? boundedValidity(parent.tokenvalidity);
    const dueAt = token.dueAt(validityMs);
    const version = await this.#insertChild(tx, token, { ...parent, stored, validityMs, dueAt: replacement === undefined ? dueAt : null });
    if (hadFailed) await mirrorRetryCount(tx, parent.tsxwhodid, shown);
    tx.last(eventsStatement([...eventsOf(token.version, version, replacement, job), ...further]));
    return replacement === undefined ? { kind: 'recorded', version, validityMs, dueAt } : { kind: 'superseded' };
  }

  /** The parent gives way and the child takes its place, in one round trip; the child is sealed with COMMIT, when its id is known. */
  async #insertChild(tx: Transaction, token: NewToken, { tsxwhodid, stored, validityMs, dueAt }: Child): Promise<number> {
    const keepsRefreshToken = token.refreshToken === null || token.refreshToken.reveal().trim() === stored.refreshtoken?.reveal().trim();
    const invalidate = "UPDATE tsttoken SET isvalid = 0, state = 'idle', dueat = NULL, uc = COALESCE(uc, 0) + 1 WHERE tokendid = ?";
    const sql = `INSERT INTO tsttoken (tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken, parenttokendid, isvalid, uc, createdtime, dueat)
      VALUES (?, '', ?, '', '', ?, ?, 0, FROM_UNIXTIME(? / 1000), ?)`;
    const params = [tsxwhodid, validityMs, token.version, dueAt === null ? 0 : 1, Math.floor(token.issuedAt), dueAt];
    const results = await tx.all([
      { label: 'outcomes.replace', sql: invalidate, params: [token.version] },
      ...(keepsRefreshToken ? [unspending(token.attempt)] : []),
      { label: 'outcomes.insert', sql, params },
    ]);
    const { insertId } = outcomeOf(results.at(-1));
    tx.last(this.#sealing.writing(insertId, {
      tokenauth: stored.tokenauth,
      accesstoken: token.accessToken,
      refreshtoken: keepsRefreshToken ? stored.refreshtoken : token.refreshToken,
    }));
    return insertId;
  }

  async #whatStands(session: Session, { version, attempt }: NewToken): Promise<RecordResult> {
    const sql = `SELECT c.tokendid, c.isvalid, COALESCE(c.uc, 0) AS uc, c.tokenvalidity, c.dueat FROM tsttoken c
      JOIN tsttoken p ON p.tokendid = c.parenttokendid WHERE p.tokendid = ? AND p.attempt = ?`;
    const [child] = await session.query<ChildRow>({ label: 'outcomes.child', sql, params: [version, attempt] });
    if (!child || hasStoodBack(child)) return { kind: 'superseded' };
    const standing = child.isvalid && child.dueat !== null ? { validityMs: boundedValidity(child.tokenvalidity), dueAt: child.dueat } : undefined;
    return { kind: 'known', version: child.tokendid, standing };
  }
}

/** Invalid from the beginning: what made a valid row so has counted. */
function hasStoodBack({ isvalid, uc }: ChildRow): boolean {
  return !isvalid && Number(uc) === 0;
}

/** Lets one at a time count the owner's failures. @returns what `reattmptcount` shows */
async function lockOwner(tx: Session, ownerDid: number): Promise<number | null> {
  const sql = 'SELECT reattmptcount AS shown FROM tsxwho WHERE tsxwhodid = ? FOR UPDATE';
  const [owner] = await tx.query<{ shown: number | null }>({ label: 'outcomes.owner', sql, params: [ownerDid] });
  return owner?.shown ?? null;
}

/** `reattmptcount` shows the highest count of failures among the owner's valid tokens, 0 after a success. */
async function mirrorRetryCount(tx: Session, ownerDid: number, shown: number | null): Promise<void> {
  const sql = 'SELECT COALESCE(MAX(retrycount), 0) AS highest FROM tsttoken WHERE tsxwhodid = ? AND isvalid = 1';
  const [failures] = await tx.query<{ highest: number }>({ label: 'outcomes.failures', sql, params: [ownerDid] });
  const highest = failures?.highest ?? 0;
  if (highest === shown) return;
  await tx.execute({ label: 'outcomes.retryCount', sql: 'UPDATE tsxwho SET reattmptcount = ? WHERE tsxwhodid = ?', params: [highest, ownerDid] });
}

function eventsOf(parent: number, child: number, replacement: number | undefined, job: string): HistoryEvent[] {
  const fate = replacement === undefined ? `token ${parent} was replaced by token ${child}` : `token ${parent}, and token ${child} that its refresh brought, gave way to token ${replacement}, which was inserted meanwhile`;
  return [
    { job, event: events.refresh, status: statuses.refreshed, text: `token ${parent} was refreshed` },
    { job, event: events.invalidate, status: statuses.invalidated, text: fate },
    { job, event: events.saved, status: statuses.saved, text: `token ${child} was saved` },
  ];
}
