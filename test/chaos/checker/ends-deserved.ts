import { Secret } from '../../../src/domain/secret.ts';
import { refreshRequest } from '../../../src/oauth/refresh-request.ts';
import type { Presentation, PresentationOutcome } from '../../harness/provider/account.ts';
import type { Provider } from '../../harness/provider/provider.ts';
import type { Check, Evidence } from '../evidence.ts';
import type { RowChange } from './history.ts';
import type { Ledger, LedgerRow } from './ledger.ts';
import { sendingsOf, type Sending } from './sendings.ts';
import { clockTime, Tally } from './tally.ts';

/** How often a refresh must have failed before a provider's word that the grant is invalid ends it. */
const failuresBeforeDeath = 2;

/** Answered with `invalid_grant` by a provider that had looked at the token. On command it says so of good ones, as on concurrent use: that ends none. */
const condemned: ReadonlySet<PresentationOutcome> = new Set(['reuse', 'revoked grant', 'unknown token', 'other client']);
const granted: ReadonlySet<PresentationOutcome> = new Set(['refreshed', 'repeated in grace']);

/**
 * A token is dead when its provider has refused it for good and not the first time, or when its refresh token had been used by another row; it is
 * stopped when it failed more often than its owner allows, none of its requests having been carried out, or when no request can be made for it.
 * Of what the account of the provider does not tell nothing is said. Each refusal that a provider gave is a case too: it may end nothing by itself.
 */
export const endsDeserved: Check = (evidence, ledger) => {
  const tally = new Tally('No refusal ended a token too soon: what was declared dead or stopped had been refused, or had failed, as often as the policy wants');
  for (const { account } of evidence.providers) {
    for (const { outcome, answeredAt } of account.presentations) if (!granted.has(outcome) && answeredAt !== undefined) tally.case();
  }
  for (const [version, changes] of ledger.changesOf) {
    const row = ledger.rowByVersion.get(version);
    for (const [index, { from, to, at }] of changes.entries()) {
      if (!row || !from || !to.isValid || to.state === from.state || (to.state !== 'dead' && to.state !== 'stopped')) continue;
      const fault = new End(row, changes, index, evidence, ledger).fault();
      tally.case(fault && `${clockTime(at)} token ${version} of ${ledger.ownerOf(row).id} was declared ${to.state}: ${fault}`);
    }
  }
  return tally.finding();
};

/** The moment at which a row was declared dead or stopped. */
class End {
  readonly #row: LedgerRow;
  /** Of the row, up to this one. */
  readonly #earlier: readonly RowChange[];
  readonly #change: RowChange;
  readonly #provider: Provider | undefined;
  readonly #ledger: Ledger;

  constructor(row: LedgerRow, changes: readonly RowChange[], index: number, { grants }: Evidence, ledger: Ledger) {
    this.#row = row;
    this.#earlier = changes.slice(0, index);
    this.#change = changes[index] as RowChange;
    this.#provider = grants.find(({ owner, grantId }) => owner === ledger.ownerOf(row).id && grantId === row.grantId)?.provider;
    this.#ledger = ledger;
  }

  fault(): string | undefined {
    const { from, to } = this.#change;
    if (from?.state === 'idle') return to.state === 'dead' ? this.#noTwin() : this.#noObstacle();
    return to.state === 'dead' ? this.#notCondemned() : this.#retriesLeft();
  }

  /** Of one that had been dead before nobody made its refresh token presentable again. */
  #noTwin(): string | undefined {
    if (this.#earlier.some(({ to }) => to.state === 'dead')) return undefined;
    const root = this.#ledger.rootOf(this.#row);
    const isTwin = (other: LedgerRow): boolean => other.refreshToken === this.#row.refreshToken && this.#ledger.rootOf(other) !== root && this.#wasClaimed(other);
    return this.#ledger.rows.some(isTwin) ? undefined : 'no other row had used its refresh token';
  }

  #wasClaimed({ version }: LedgerRow): boolean {
    return (this.#ledger.changesOf.get(version) ?? []).some(({ id, to }) => id < this.#change.id && to.attempt !== null);
  }

  #noObstacle(): string | undefined {
    if (!this.#provider || this.#clientWasRefused()) return undefined;
    const { auth, refreshToken } = this.#row;
    try {
      refreshRequest({ tokenUrl: this.#ledger.ownerOf(this.#row).tokenUrl, auth: new Secret(auth), refreshToken: new Secret(refreshToken) });
      return 'a request could have been made for it, and its client had never been refused';
    } catch {
      return undefined;
    }
  }

  #notCondemned(): string | undefined {
    const few = this.#failedLessThan(failuresBeforeDeath);
    if (few !== undefined) return few;
    return !this.#provider || this.#answers().some(({ outcome }) => condemned.has(outcome)) ? undefined : `its provider had not refused it for good (${this.#shown()})`;
  }

  /** Where a client is refused, the tokens of all its owners count. */
  #retriesLeft(): string | undefined {
    const { retryMax } = this.#ledger.ownerOf(this.#row);
    const few = retryMax === null || this.#clientWasRefused() ? undefined : this.#failedLessThan(retryMax + 1);
    if (few !== undefined) return few;
    return this.#answers().some(({ outcome }) => granted.has(outcome)) ? `its provider had carried out the request (${this.#shown()})` : undefined;
  }

  /** By what the row counts, and by how often it was marked as sent since its pool was restarted last. */
  #failedLessThan(least: number): string | undefined {
    const restart = this.#earlier.findLast(({ from, to }) => to.state === 'idle' && (from?.state === 'dead' || from?.state === 'stopped'));
    const sent = this.#sendings().filter(({ at }) => at >= (restart?.at ?? 0)).length;
    const failures = Math.min(sent, this.#change.retryCount);
    return failures < least ? `it had failed ${failures} of ${least} times` : undefined;
  }

  #sendings(): Sending[] {
    return sendingsOf(this.#ledger, this.#row.version).filter(({ at }) => at <= this.#change.at);
  }

  /** What its provider said to the request after which it ended. */
  #answers(): Presentation[] {
    const sending = this.#sendings().findLast(({ attempt }) => attempt === this.#change.from?.attempt);
    if (!sending || !this.#provider) return [];
    const { grantId, refreshSequence } = this.#row;
    const isOurs = ({ refreshToken, outcome }: Presentation): boolean => refreshToken === `${grantId}#${refreshSequence}` || outcome === 'unknown token';
    return this.#provider.account.presentations.filter((each) => isOurs(each) && each.at >= Math.floor(sending.at) && each.at <= this.#change.at);
  }

  #shown(): string {
    return this.#answers().map(({ outcome, behaviour }) => (behaviour ? `${outcome}, ${behaviour}` : outcome)).join('; ') || 'nothing had come to it';
  }

  #clientWasRefused(): boolean {
    const isRefusal = ({ outcome, behaviour }: Presentation): boolean => outcome === 'client refused' || behaviour === 'invalid-client';
    return this.#provider?.account.presentations.some((each) => isRefusal(each) && each.at <= this.#change.at) ?? false;
  }
}
