import { StoreUnavailable } from '../domain/errors.ts';
import type { Session } from './connection.ts';
import { StatementFailed } from './failure.ts';

const needed = '2.0.0';
const tables = ['tsxwho', 'tsttoken', 'tstevent', 'tstemail', 'tstspent', 'tstepoch', 'tstkey', 'tstschema'];

const migrations = ['migration1_0_1to1_1_5.sql', 'migration1_1_7to1_1_8.sql', 'migration1_1_8to2_0_0.sql'];

/** What a node that refreshes does, asked of the server without doing it. */
const writes = [
  'UPDATE tsxwho SET uc = uc',
  'UPDATE tsttoken SET uc = uc',
  'UPDATE tstepoch SET epoch = epoch',
  'UPDATE tstkey SET value = value',
  ...['tsttoken', 'tstevent', 'tstspent', 'tstkey'].map((table) => `INSERT INTO ${table} SELECT * FROM ${table} WHERE FALSE`),
  'DELETE FROM tstspent',
];

/** The tables are not those of this version; the message says which scripts to run. */
export class SchemaOutdated extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SchemaOutdated';
  }
}

/** The database user cannot log in, or may not do what the service does. */
export class RightsMissing extends Error {
  constructor(message: string, cause: StatementFailed) {
    super(message, { cause });
    this.name = 'RightsMissing';
  }
}

/**
 * Resolves when the schema is the one this version works with, and the user may use it.
 * @param writing whether this node will ever refresh; a follower may have a user that only reads
 * @throws SchemaOutdated, RightsMissing, StoreUnavailable
 */
export async function checkSchema(session: Session, writing = true, signal?: AbortSignal): Promise<void> {
  try {
    const problem = problemOf(await readColumns(session, signal)) ?? versionProblem(await readVersions(session, signal));
    if (problem !== undefined) throw new SchemaOutdated(problem);
    for (const table of tables) await session.query({ label: 'schema.read', sql: `SELECT * FROM ${table} LIMIT 0` }, signal);
    for (const sql of writing ? writes : []) await session.query({ label: 'schema.write', sql: `EXPLAIN ${sql}` }, signal);
  } catch (error) {
    throw explained(error);
  }
}

/** Type by `table.column`, of the tables that the user can see. */
type Columns = ReadonlyMap<string, string>;

async function readColumns(session: Session, signal?: AbortSignal): Promise<Columns> {
  const sql = `SELECT LOWER(CONCAT(table_name, '.', column_name)) AS name, LOWER(data_type) AS type
    FROM information_schema.columns WHERE table_schema = DATABASE() AND LOWER(table_name) IN (?)`;
  const rows = await session.query<{ name: string; type: string }>({ label: 'schema.columns', sql, params: [tables] }, signal);
  return new Map(rows.map((row) => [row.name, row.type]));
}

async function readVersions(session: Session, signal?: AbortSignal): Promise<string[]> {
  const rows = await session.query<{ version: string }>({ label: 'schema.version', sql: 'SELECT version FROM tstschema' }, signal);
  return rows.map((row) => row.version);
}

function problemOf(columns: Columns): string | undefined {
  if (columns.size === 0) {
    return `The database has no table of the service that its user can see. Run dbscripts/baseline.sql, and start again.`;
  }
  const old = ['tsxwho.ownerid', 'tsttoken.tokendid', 'tstevent.eventdid'].filter((name) => !columns.has(name));
  if (old.length > 0) {
    const missing = old.map((name) => name.split('.')[0]).join(', ');
    return `The database lacks ${missing}, or its user may not see it. If its set-up was interrupted and it holds no data, drop the schema and run dbscripts/baseline.sql; otherwise restore a backup.`;
  }
  const stage = stageOf(columns);
  if (stage === undefined) return undefined;
  return stage.interrupted ? interrupted() : outdated(stage.version, stage.scripts);
}

interface Stage {
  readonly version: string;
  readonly scripts: readonly string[];
  readonly interrupted: boolean;
}

/** How far the schema has come; undefined when every step has been done. */
function stageOf(columns: Columns): Stage | undefined {
  const retries = columns.has('tstemail.tstmailaddr') && columns.has('tsxwho.retrydelay');
  if (!retries) return { version: '1.0.1', scripts: migrations, interrupted: false };
  if (columns.get('tsttoken.tokenvalidity') !== 'bigint') return { version: '1.1.5', scripts: migrations.slice(1), interrupted: false };
  const done = [
    columns.get('tstevent.eventdid') === 'bigint',
    ...['tsxwho.refreshmode', 'tsttoken.state', 'tstspent.fingerprint', 'tstepoch.epoch', 'tstkey.name', 'tstschema.version'].map((name) => columns.has(name)),
  ];
  if (done.every(Boolean)) return undefined;
  return { version: '1.1.8', scripts: migrations.slice(2), interrupted: done.some(Boolean) };
}

function versionProblem(versions: readonly string[]): string | undefined {
  const newer = versions.find((version) => isNewer(version, needed));
  if (newer !== undefined) {
    return `The database is at schema ${newer}, which is newer than what this version works with (${needed}). Start the version of the service that belongs to it.`;
  }
  return versions.includes(needed) ? undefined : interrupted();
}

function interrupted(): string {
  return `The migration of the database to ${needed} was interrupted. Run dbscripts/${migrations.at(-1) ?? ''} again, and start again.`;
}

function outdated(version: string, scripts: readonly string[]): string {
  const steps = scripts.map((script) => `dbscripts/${script}`).join(', then ');
  return `The database is at schema ${version}; this version needs ${needed}. Run ${steps}, and start again.`;
}

function isNewer(version: string, than: string): boolean {
  return version.localeCompare(than, 'en', { numeric: true }) > 0;
}

/** What an operator can act upon in place of the database's refusals. */
function explained(error: unknown): unknown {
  const failed = error instanceof StoreUnavailable ? error.cause : error;
  if (!(failed instanceof StatementFailed)) return error;
  switch (failed.errno) {
    case 1049: // ER_BAD_DB_ERROR
      return new SchemaOutdated(`There is no such database: ${failed.message}. Run dbscripts/baseline.sql, and start again.`);
    case 1044: // ER_DBACCESS_DENIED_ERROR
    case 1045: // ER_ACCESS_DENIED_ERROR
    case 1251: // ER_NOT_SUPPORTED_AUTH_MODE
    case 1698: // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
      return new RightsMissing(`The database refused the log-in: ${failed.message}. Look at database.user and database.password.`, failed);
    case 1142: // ER_TABLEACCESS_DENIED_ERROR
    case 1143: // ER_COLUMNACCESS_DENIED_ERROR
    case 1227: // ER_SPECIFIC_ACCESS_DENIED_ERROR
      return new RightsMissing(`The database user may not do what the service does: ${failed.message}. Grant it SELECT, INSERT, UPDATE and DELETE on the schema.`, failed);
    default:
      return error;
  }
}
