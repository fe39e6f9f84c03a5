import { Secret } from '../domain/secret.ts';
import type { KeyRing } from '../runtime/key-ring.ts';
import type { Session, Statement } from './connection.ts';

export const sealedColumns = ['tokenauth', 'accesstoken', 'refreshtoken'] as const;
export type SealedColumn = (typeof sealedColumns)[number];
export type SecretColumns = Record<SealedColumn, Secret | null>;
/** The columns as they stand in the table, sealed or in the clear. */
export type StoredColumns = Record<SealedColumn, string | null>;

/** Characters that `tokenauth` holds. One so long that its sealed form does not fit stays in the clear: a row that cannot be written loses a token. */
const authLength = 2000;

/** Seals and reads the secret columns of `tsttoken`; the row's id and the column are bound into each value. */
export class TokenSealing {
  readonly #ring: KeyRing;

  constructor(ring: KeyRing) {
    this.#ring = ring;
  }

  /** @throws Unsealable */
  read(version: number, stored: StoredColumns): SecretColumns {
    return {
      tokenauth: this.#read(version, 'tokenauth', stored),
      accesstoken: this.#read(version, 'accesstoken', stored),
      refreshtoken: this.#read(version, 'refreshtoken', stored),
    };
  }

  /**
   * Seals what stands in the clear or under an old key, unless the row was changed since it was read.
   * Harmless when done twice or at the same time by two nodes.
   * @returns whether it wrote
   * @throws Unsealable
   */
  async sealRow(session: Session, version: number, stored: StoredColumns): Promise<boolean> {
    if (!sealedColumns.some((column) => stored[column] && this.#ring.wantsSealing(stored[column]))) return false;
    const { set, params } = this.#assignments(version, this.read(version, stored));
    const unchanged = sealedColumns.map((column) => `${column} <=> ?`).join(' AND ');
    const sql = `UPDATE tsttoken SET ${set} WHERE tokendid = ? AND ${unchanged}`;
    const { affectedRows } = await session.execute({ label: 'tokens.seal', sql, params: [...params, version, ...sealedColumns.map((column) => stored[column])] });
    return affectedRows === 1;
  }

  /** Writes the columns of a row, sealed where there is a key. */
  writing(version: number, values: SecretColumns): Statement {
    const { set, params } = this.#assignments(version, values);
    return { label: 'tokens.write', sql: `UPDATE tsttoken SET ${set} WHERE tokendid = ?`, params: [...params, version] };
  }

  #assignments(version: number, values: SecretColumns): { set: string; params: (string | null)[] } {
    return {
      set: sealedColumns.map((column) => `${column} = ?`).join(', '),
      params: sealedColumns.map((column) => this.#seal(version, column, values[column])),
    };
  }

  #read(version: number, column: SealedColumn, stored: StoredColumns): Secret | null {
    const value = stored[column];
    if (value === null || value === '') return null;
    return new Secret(this.#ring.unseal(value, place(version, column)));
  }

  #seal(version: number, column: SealedColumn, value: Secret | null): string | null {
    if (value === null) return column === 'tokenauth' ? '' : null;
    const sealed = this.#ring.seal(value.reveal(), place(version, column));
    return column === 'tokenauth' && sealed.length > authLength ? value.reveal() : sealed;
  }
}

function place(version: number, column: SealedColumn): string {
  return `tsttoken:${version}:${column}`;
}
