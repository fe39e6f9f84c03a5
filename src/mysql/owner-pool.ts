import type { Owner } from '../domain/owner.ts';
import type { Token } from '../domain/token.ts';
import type { Session } from './connection.ts';
import type { OwnerTable } from './owners.ts';
import type { TokenTable } from './tokens.ts';

export interface OwnerPool {
  /** undefined where there is no valid owner of this id. */
  readonly owner: Owner | undefined;
  /** The current token of each of its slots. */
  readonly siblings: Token[];
}

/** An owner and its tokens, in one round trip. */
export async function readOwnerPool(session: Session, owners: OwnerTable, tokens: TokenTable, ownerDid: number): Promise<OwnerPool> {
  const [owner, siblings] = await session.all([owners.byDidStatement(ownerDid), tokens.ofOwnerStatement(ownerDid)]);
  return { owner: owners.read(owner), siblings: tokens.readCurrent(siblings) };
}
