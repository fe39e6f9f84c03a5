import { StoreUnavailable } from '../domain/errors.ts';

/** The server shuts down, has closed the session, or asks the client to go elsewhere: the connection is of no more use. */
const lostConnection = new Set([
  1053, // ER_SERVER_SHUTDOWN
  1080, // ER_FORCING_CLOSE
  1927, // ER_CONNECTION_KILLED (MariaDB)
  3169, // ER_SESSION_WAS_KILLED
  4031, // ER_CLIENT_INTERACTION_TIMEOUT
]);

/** The server answered that it cannot serve now, or lost a race: the same statement may succeed later. */
const outage = new Set([
  ...lostConnection,
  1021, 1030, 1037, 1038, 1041, 1114, 1135, // disk, memory or threads are used up
  1040, 1129, 1130, 1203, 1226, // too many connections, or this host may not connect
  1044, 1045, 1049, 1251, 1698, // the login was refused
  1047, // WSREP has not yet prepared node (Galera)
  1158, 1159, 1160, 1161, // network
  1205, 1213, 1614, 3101, 3572, // lock wait timeout, deadlock, rolled back by the cluster
  1223, 1290, 1792, 1836, 3032, // read-only, such as the former primary after a failover
  1317, 1969, 3024, // interrupted, took too long
]);

/** What the server writes with these names accounts, tables and columns, never a value. */
const harmlessText = new Set([1044, 1045, 1049, 1054, 1142, 1143, 1146, 1227, 1290]);

const timeout = 'STATEMENT_TIMEOUT';

/** Stands for a driver's error where our own deadline ended the wait. */
export class TimedOut extends Error {
  readonly code = timeout;
}

/** Stands for a driver's error where the connection ended without one. */
export const connectionLost = { code: 'PROTOCOL_CONNECTION_LOST' } as const;

interface DriverError {
  readonly code?: unknown;
  readonly errno?: unknown;
  readonly sqlState?: unknown;
  readonly message?: unknown;
}

/**
 * What went wrong with a statement, without the statement: errors of the driver carry the SQL with every parameter in it,
 * and the server quotes values in its messages, so neither the error nor its text goes further than this file.
 */
export class StatementFailed extends Error {
  readonly label: string;
  /** Such as `ER_DUP_ENTRY`, `ECONNREFUSED` or `STATEMENT_TIMEOUT`. */
  readonly code: string;
  /** The server's number of the error; 0 where the server did not answer. */
  readonly errno: number;
  /** For a duplicate key: the key's name without its table. */
  readonly keyName: string | undefined;

  constructor(label: string, error: unknown) {
    const { code, errno, text, keyName } = read(error);
    super(`${label}: ${code}${errno === 0 ? '' : ` (${errno})`}${text}`);
    this.name = 'StatementFailed';
    this.label = label;
    this.code = code;
    this.errno = errno;
    this.keyName = keyName;
  }

  /** The connection was gone, or went while the statement ran; not so after a timeout, where the server may still be at it. */
  get connectionLost(): boolean {
    return this.errno === 0 ? this.code !== timeout : lostConnection.has(this.errno);
  }
}

/** `StoreUnavailable` where the database cannot serve, `StatementFailed` where it refuses this statement. */
export function failureOf(label: string, error: unknown): StoreUnavailable | StatementFailed {
  if (error instanceof StoreUnavailable) return error;
  const failed = new StatementFailed(label, error);
  return failed.errno === 0 || outage.has(failed.errno) ? new StoreUnavailable('mysql', failed) : failed;
}

export function isConnectionLost(error: unknown): boolean {
  return error instanceof StoreUnavailable && error.cause instanceof StatementFailed && error.cause.connectionLost;
}

/** @param keyName the name in the schema, such as `uk01tsttoken`; `PRIMARY` is that of every primary key */
export function isDuplicateKey(error: unknown, keyName?: string): boolean {
  return error instanceof StatementFailed && error.errno === 1062 && (keyName === undefined || error.keyName === keyName);
}

function read(error: unknown): { code: string; errno: number; text: string; keyName: string | undefined } {
  const { code, errno, sqlState, message } = (typeof error === 'object' && error !== null ? error : {}) as DriverError;
  const said = typeof message === 'string' ? message : '';
  // Operating system errors have a (negative) errno too; 1040 can come before the handshake, and so without a state.
  const fromServer = typeof errno === 'number' && errno > 0 && (sqlState !== undefined || errno === 1040);
  const number = fromServer ? errno : 0;
  return {
    code: typeof code === 'string' ? code : 'CONNECTION_FAILED',
    errno: number,
    text: harmlessText.has(number) ? ` ${said}` : '',
    // MariaDB writes the key's name, MySQL 8 the table's before it; the value stands in front and is not ours to repeat.
    keyName: number === 1062 ? /for key '(?:[^']*\.)?([^'.]+)'$/.exec(said)?.[1] : undefined,
  };
}
