import { Secret } from '../domain/secret.ts';
import type { KeyRing } from '../runtime/key-ring.ts';
import type { Session } from './connection.ts';

export const sealedColumns = ['tokenauth', 'accesstoken', 'refreshtoken'] as const;
export type SealedColumn = (typeof sealedColumns)[number];
export type SecretColumns = Record<SealedColumn, Secret | null>;
/** The columns as they stand in the table, sealed or in the clear. */
export type StoredColumns = Record<SealedColumn, string | null>;

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

  /** Seals what stands in the clear or under an old key. Harmless when done twice or at the same time by two nodes. @returns whether it wrote */
  async sealRow(session: Session, version: number, stored: StoredColumns): Promise<boolean> {
    if (!sealedColumns.some((column) => this.#ring.wantsSealing(stored[column] ?? '') && stored[column])) return false;
    await this.write(session, version, this.read(version, stored));
    return true;
  }

  async write(session: Session, version: number, values: SecretColumns): Promise<void> {
    const params = sealedColumns.map((column) => this.#seal(version, column, values[column]));
    await session.execute({
      label: 'tokens.seal',
      sql: `UPDATE tsttoken SET ${sealedColumns.map((column) => `${column} = ?`).join(', ')} WHERE tokendid = ?`,
      params: [...params, version],
    });
  }

  #read(version: number, column: SealedColumn, stored: StoredColumns): Secret | null {
    const value = stored[column];
    if (value === null || value === '') return null;
    return new Secret(this.#ring.unseal(value, place(version, column)));
  }

  #seal(version: number, column: SealedColumn, value: Secret | null): string | null {
    return value === null ? null : this.#ring.seal(value.reveal(), place(version, column));
  }
}

function place(version: number, column: SealedColumn): string {
  return `tsttoken:${version}:${column}`;
}
