import { Unsealable } from '../runtime/key-ring.ts';
import type { Statement } from './connection.ts';
import type { SecretColumns, StoredColumns, TokenSealing } from './token-sealing.ts';

export interface InsertedRow extends StoredColumns {
  readonly tokendid: number;
}

/** The valid rows of the same owner that came after this one, as far as they are committed: read without a lock, so that no insert is held up. */
export function insertedMeanwhileStatement(version: number): Statement {
  const sql = `SELECT n.tokendid, n.tokenauth, n.accesstoken, n.refreshtoken FROM tsttoken o
    JOIN tsttoken n ON n.tsxwhodid = o.tsxwhodid AND n.isvalid = 1 AND n.tokendid > o.tokendid WHERE o.tokendid = ?`;
  return { label: 'outcomes.inserted', sql, params: [version] };
}

/**
 * The row that an operator put in the place of another while the answer for that one was awaited. A copy of it is none: what was sent
 * cannot be sent again, and the answer is all that is left of the grant.
 * @param rows what the statement above brought
 */
export function replacementAmong(rows: readonly InsertedRow[], replaced: SecretColumns, sealing: TokenSealing): number | undefined {
  const isReplacement = (row: InsertedRow): boolean => {
    const { tokenauth, refreshtoken } = readable(row, sealing) ?? {};
    return textOf(tokenauth) === textOf(replaced.tokenauth) && textOf(refreshtoken) !== textOf(replaced.refreshtoken);
  };
  return rows.find(isReplacement)?.tokendid;
}

/** What cannot be read is left out everywhere, and must not keep an answer from being recorded. */
function readable(row: InsertedRow, sealing: TokenSealing): SecretColumns | undefined {
  try {
    return sealing.read(row.tokendid, row);
  } catch (error) {
    if (error instanceof Unsealable) return undefined;
    throw error;
  }
}

function textOf(secret: SecretColumns[keyof SecretColumns] | undefined): string {
  return secret?.reveal().trim() ?? '';
}
