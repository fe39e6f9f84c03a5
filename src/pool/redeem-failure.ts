import type { KeptFailure } from '../journal/kept-answer.ts';
import type { Database } from '../mysql/connection.ts';
import type { OwnerTable } from '../mysql/owners.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import type { PendingAnswers } from '../redis/pending.ts';
import type { FailureSettler } from './settle-failure.ts';

export interface RedeemFailureParts {
  readonly db: Database;
  readonly owners: OwnerTable;
  readonly tokens: TokenTable;
  readonly pending: PendingAnswers;
  readonly failures: FailureSettler;
}

/**
 * Has a token tried again that a request did not use, where whoever sent the request cannot say so any more: the token would come to be in doubt.
 * Guarded by the attempt id alone, as an answer is.
 */
export class FailureRedeemer {
  readonly #parts: RedeemFailureParts;

  constructor(parts: RedeemFailureParts) {
    this.#parts = parts;
  }

  /** @returns whether the record had still waited for it @throws StoreUnavailable; it is then still pending */
  async redeem({ attempt, version, ownerDid, failure }: KeptFailure): Promise<boolean> {
    const { db, owners, tokens, pending, failures } = this.#parts;
    const [owner, token] = [await owners.byDid(db, ownerDid), await tokens.byVersion(db, version)];
    if (owner && token?.attempt === attempt) {
      const settled = await failures.settleKept(owner, token, attempt, failure);
      await pending.forget(attempt);
      return settled;
    }
    // Its owner may be made valid again, or the key of its row be added.
    if (await tokens.isInAttempt(db, attempt)) return false;
    const settled = await failures.settledBefore(attempt);
    await pending.forget(attempt);
    return settled;
  }
}
