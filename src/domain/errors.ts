/** Every code a caller can meet and its message. The code is the contract. */
export const messages = {
  TP0001: 'Undefined Error',
  TP0002: 'Internal Server Error',
  TP0003: 'Input Parameter Error',
  TPS0005: 'NO pool entry for this Owner',
  TPS0006: 'No Valid token owner defined at the db',
  TPS0007: 'No Valid owner defined',
  TPS0008: 'No token reset time specified for the owner',
  TPS0009: 'Token already removed from the token pool',
  TPS0010: 'Invalid token',
  TPS0012: 'Only master node allowed to refresh the token',
  TPS0013: 'Token pool not initialized yet',
  TPS0014: 'Access Token is null',
  TPS0015: 'Refresh Token is null',
  TPS0016: 'No token pool implementation initialized',
  TPS0017: 'No token pool manager initialized',
  TPS0018: 'No valid token url defined at the db',
  TPS0019: 'Invalid Authentication Header at the db',
  TPS0020: 'Token Regeneration Failed',
  TPS0021: 'Invalid credentials passed for Token Regeneration',
  TPS0022: 'Scheduled time already expired',
  TPS0023: 'Token pool not initialized for this owner',
  TPS0024: 'Token not yet assigned',
  TPS0025: "Can't be connected to the server",
  TPS0026: 'Reached maximum retry attempts',
  TPS0027: 'Sender mail list not defined',
  TPS0028: 'Email sending failed',
  TPS0029: 'No valid token found',
  TPS0030: 'No valid response code',
  TPS0031: 'Unexpected error',
} as const;

export type ErrorCode = keyof typeof messages;

/** A failure that a caller is told of, by its code. */
export class ServiceError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, cause?: unknown) {
    super(messages[code], cause === undefined ? undefined : { cause });
    this.name = 'ServiceError';
    this.code = code;
  }
}

/** A store did not answer, or answered that it cannot serve. The operation may or may not have happened. */
export class StoreUnavailable extends Error {
  readonly store: 'mysql' | 'redis';

  constructor(store: 'mysql' | 'redis', cause?: unknown) {
    super(`${store} is unavailable`, cause === undefined ? undefined : { cause });
    this.name = 'StoreUnavailable';
    this.store = store;
  }
}

/** A COMMIT was sent and its outcome is not known: re-read, never assume. */
export class CommitUnknown extends StoreUnavailable {
  constructor(cause?: unknown) {
    super('mysql', cause);
    this.name = 'CommitUnknown';
  }
}
