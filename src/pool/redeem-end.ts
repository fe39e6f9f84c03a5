import type { KeptEnd } from '../journal/kept-answer.ts';
import type { Database } from '../mysql/connection.ts';
import type { OwnerTable } from '../mysql/owners.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import type { PendingAnswers } from '../redis/pending.ts';
import type { ClaimReturner } from './give-back.ts';
import type { FailureSettler } from './settle-failure.ts';

export interface RedeemEndParts {
  readonly db: Database;
  readonly owners: OwnerTable;
  readonly tokens: TokenTable;
  readonly pending: PendingAnswers;
  readonly failures: FailureSettler;
  readonly returner: ClaimReturner;
}

/**
 * Has a token tried again that a request did not use, where whoever sent the request cannot say so any more: the token would come to be in doubt.
 * Guarded by the attempt id alone, as an answer is.
 */
export class EndRedeemer {
  readonly #parts: RedeemEndParts;

  constructor(parts: RedeemEndParts) {
    this.#parts = parts;
  }

  /** @returns whether the record had still waited for it @throws StoreUnavailable; it is then still pending */
  async redeem({ attempt, version, ownerDid, end }: KeptEnd): Promise<boolean> {
    const { db, owners, tokens, pending, failures, returner } = this.#parts;
    const [owner, token] = [await owners.byDid(db, ownerDid), await tokens.byVersion(db, version)];
    if (owner && token?.attempt === attempt) {
      const settled = await (end.kind === 'given_back' ? returner.giveBackKept(owner, token, attempt) : failures.settleKept(owner, token, attempt, end));
      await pending.forget(attempt);
      return settled;
    }
    // Its owner may be made valid again, or the key of its row be added.
    if (await tokens.isInAttempt(db, attempt)) return false;
    // A round before may have settled it and not come to know that.
    const settled = await failures.settledBefore(attempt);
    if (owner && token?.state === 'idle' && !settled) await failures.republish(owner, version);
    await pending.forget(attempt);
    return settled;
  }
}
