import type { Connection } from 'mysql2/promise';

import type { SystemOfRecord } from '../../harness/system-of-record.ts';

/** What a row of `tsttoken` was or became. */
export interface RowState {
  readonly isValid: boolean;
  readonly state: string;
  readonly attempt: string | null;
}

/** One committed change of a row; of one row they come in the order in which they were made. */
export interface RowChange {
  /** Of all changes and terms: what is bigger was made later. */
  readonly id: number;
  /** Epoch ms with fractions, when the change was made; it was committed a little later. */
  readonly at: number;
  readonly version: number;
  readonly ownerDid: number;
  readonly parent: number | null;
  /** undefined for a row that was inserted. */
  readonly from: RowState | undefined;
  readonly to: RowState;
  /** The term under which the row was claimed last, and the node that did. */
  readonly epoch: number | null;
  readonly node: string | null;
  readonly retryCount: number;
  /** Until the change, epoch ms; null where nothing was planned. */
  readonly dueAt: number | null;
}

export interface TermBegun {
  readonly id: number;
  readonly at: number;
  readonly epoch: number;
}

export interface History {
  readonly changes: readonly RowChange[];
  readonly terms: readonly TermBegun[];
}

/** A committed row tells what was committed; its id, when: it is taken as the change is made, under the lock of what is changed. */
const table = `CREATE TABLE history (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  at timestamp(6) NOT NULL,
  term bigint NULL,
  tokendid int NULL, ownerdid int NULL, parent int NULL,
  oldvalid tinyint NULL, newvalid tinyint NULL,
  oldstate varchar(10) NULL, newstate varchar(10) NULL,
  oldattempt char(32) NULL, newattempt char(32) NULL,
  attemptepoch bigint NULL, attemptnode varchar(100) NULL, retrycount int NULL, dueat bigint NULL
) ENGINE=InnoDB`;

const columns = 'at, tokendid, ownerdid, parent, oldvalid, oldstate, oldattempt, newvalid, newstate, newattempt, attemptepoch, attemptnode, retrycount, dueat';
const after = 'NEW.isvalid + 0, NEW.state, NEW.attempt, NEW.attemptepoch, NEW.attemptnode, NEW.retrycount';
const same = ['isvalid', 'state', 'attempt', 'retrycount', 'parenttokendid'].map((column) => `OLD.${column} <=> NEW.${column}`).join(' AND ');

const statements = [
  table,
  `INSERT INTO history (${columns}) SELECT SYSDATE(6), tokendid, tsxwhodid, parenttokendid, NULL, NULL, NULL, isvalid + 0, state, attempt, attemptepoch, attemptnode, retrycount, dueat FROM tsttoken ORDER BY tokendid`,
  'INSERT INTO history (at, term) SELECT SYSDATE(6), epoch FROM tstepoch',
  `CREATE TRIGGER history_inserted AFTER INSERT ON tsttoken FOR EACH ROW
    INSERT INTO history (${columns}) VALUES (SYSDATE(6), NEW.tokendid, NEW.tsxwhodid, NEW.parenttokendid, NULL, NULL, NULL, ${after}, NEW.dueat)`,
  `CREATE TRIGGER history_updated AFTER UPDATE ON tsttoken FOR EACH ROW
    IF NOT (${same}) THEN
      INSERT INTO history (${columns}) VALUES (SYSDATE(6), NEW.tokendid, NEW.tsxwhodid, NEW.parenttokendid, OLD.isvalid + 0, OLD.state, OLD.attempt, ${after}, OLD.dueat);
    END IF`,
  `CREATE TRIGGER history_term AFTER UPDATE ON tstepoch FOR EACH ROW
    IF NOT (OLD.epoch <=> NEW.epoch) THEN INSERT INTO history (at, term) VALUES (SYSDATE(6), NEW.epoch); END IF`,
];

/**
 * Has the database write down each change of a token's state and each beginning of a term, in the very transaction that makes it, so that
 * what is rolled back leaves nothing. Nothing is read or locked for it but the new row of `history`. Before the first node starts; the
 * nodes' user must be able to write to the schema, and otherwise need not know.
 */
export async function installHistory(record: SystemOfRecord): Promise<void> {
  await record.withConnection(async (connection) => {
    for (const sql of statements) await connection.query(sql);
  });
}

interface HistoryRow {
  id: number;
  at: number;
  term: number | null;
  tokendid: number;
  ownerdid: number;
  parent: number | null;
  oldvalid: number | null;
  oldstate: string | null;
  oldattempt: string | null;
  newvalid: number;
  newstate: string;
  newattempt: string | null;
  attemptepoch: number | null;
  attemptnode: string | null;
  retrycount: number;
  dueat: number | null;
}

export async function readHistory(connection: Connection): Promise<History> {
  const [rows] = await connection.query(`SELECT id, term, UNIX_TIMESTAMP(at) * 1000 AS at, ${columns.replace('at, ', '')} FROM history ORDER BY id`);
  const terms: TermBegun[] = [];
  const changes: RowChange[] = [];
  for (const row of rows as HistoryRow[]) {
    if (row.term === null) changes.push(changeOf(row));
    else terms.push({ id: row.id, at: Number(row.at), epoch: Number(row.term) });
  }
  return { changes, terms };
}

function changeOf(row: HistoryRow): RowChange {
  return {
    id: row.id,
    at: Number(row.at),
    version: row.tokendid,
    ownerDid: row.ownerdid,
    parent: row.parent,
    from: row.oldstate === null ? undefined : { isValid: row.oldvalid === 1, state: row.oldstate, attempt: row.oldattempt },
    to: { isValid: row.newvalid === 1, state: row.newstate, attempt: row.newattempt },
    epoch: row.attemptepoch,
    node: row.attemptnode,
    retryCount: row.retrycount,
    dueAt: row.dueat === null ? null : Number(row.dueat),
  };
}
