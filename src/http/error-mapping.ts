import { messages, ServiceError, StoreUnavailable } from '../domain/errors.ts';
import type { ErrorCode } from '../domain/errors.ts';

/** What a caller is told. */
export interface Failure {
  readonly status: number;
  readonly code: ErrorCode;
  readonly body: string;
  /** Nothing of the service throws this on purpose: somebody has to look at it. */
  readonly unexpected: boolean;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof ServiceError) return failure(error.code);
  if (error instanceof StoreUnavailable) return failure('TP0002');
  const status = clientFault(error);
  if (status !== undefined) return { ...failure('TP0003'), status };
  return { ...failure('TP0001'), unexpected: true };
}

/** The status of every code: the contract answers 400 to all, and a new code has to be put here by hand. */
function statusOf(code: ErrorCode): number {
  switch (code) {
    case 'TP0001': case 'TP0002': case 'TP0003':
    case 'TPS0005': case 'TPS0006': case 'TPS0007': case 'TPS0008': case 'TPS0009':
    case 'TPS0010': case 'TPS0012': case 'TPS0013': case 'TPS0014': case 'TPS0015':
    case 'TPS0016': case 'TPS0017': case 'TPS0018': case 'TPS0019': case 'TPS0020':
    case 'TPS0021': case 'TPS0022': case 'TPS0023': case 'TPS0024': case 'TPS0025':
    case 'TPS0026': case 'TPS0027': case 'TPS0028': case 'TPS0029': case 'TPS0030':
    case 'TPS0031':
      return 400;
    default:
      return code satisfies never;
  }
}

function failure(code: ErrorCode): Failure {
  return { status: statusOf(code), code, body: textOf(code), unexpected: false };
}

export function textOf(code: ErrorCode): string {
  return `${code}:${messages[code]}`;
}

/** The 4xx that Express and its parsers put on an error: malformed percent-encoding, a forbidden path. */
function clientFault(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('status' in error)) return undefined;
  const { status } = error;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}
