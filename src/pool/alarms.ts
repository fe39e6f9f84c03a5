import type { Owner } from '../domain/owner.ts';
import { expiresAt, type Token } from '../domain/token.ts';
import type { NextStep } from '../domain/refresh-policy.ts';
import { settlement } from '../domain/refresh-policy.ts';
import type { RefreshFailure } from '../domain/refresh-outcome.ts';
import { attemptFailed, clientRefused, grantDead, grantInDoubt, maximumReached, type Message } from '../mail/messages.ts';
import type { Notifier } from '../mail/notifier.ts';
import type { Database } from '../mysql/connection.ts';
import { recipientsOf } from '../mysql/recipients.ts';
import { clientOf } from '../oauth/refresh-request.ts';
import type { Logger } from '../runtime/log.ts';

/** What becomes of a token of which is not known whether it was used. */
export interface Doubt {
  readonly step: 'doubt';
}

export interface FailedRefreshReport {
  readonly owner: Owner;
  readonly token: Token;
  readonly failure: RefreshFailure;
  /** Of a doubt it is not known: that is settled by the provider's policy. */
  readonly next: NextStep | Doubt;
  /** Failures in a row, this one included. */
  readonly failures: number;
  /** True: people were told of the cause already, so there is no mail. */
  readonly isKnown?: boolean;
}

/** Tells people that a refresh failed: one log line and one mail. A mail that cannot be sent never fails a refresh. */
export class Alarms {
  readonly #db: Database;
  readonly #notifier: Pick<Notifier, 'notify'>;
  readonly #logger: Logger;

  constructor(db: Database, notifier: Pick<Notifier, 'notify'>, logger: Logger) {
    this.#db = db;
    this.#notifier = notifier;
    this.#logger = logger;
  }

  refreshFailed(report: FailedRefreshReport): void {
    const { owner, token, failure, next, failures, isKnown = false } = report;
    const level = next.step === 'retry' ? 'warn' : 'error';
    this.#logger[level]({ owner: owner.id, version: token.version, failure: failure.kind, detail: failure.detail, failures, next: next.step }, 'A refresh failed');
    if (!isKnown) this.#mail(owner, messageOf(report));
  }

  #mail(owner: Owner, { subject, text }: Message): void {
    recipientsOf(this.#db, owner.did).then(
      (to) => this.#notifier.notify({ to, subject, text }),
      (error: unknown) => this.#logger.warn({ owner: owner.id, reason: String(error) }, 'A mail was not sent: its recipients could not be read'),
    );
  }
}

function messageOf({ owner, token, failure, next, failures }: FailedRefreshReport): Message {
  const about = { ownerId: owner.id, tokenUrl: owner.tokenUrl, failure };
  const attempt = { attempt: failures, attempts: owner.retryMax + 1 };
  switch (next.step) {
    case 'retry':
      if (failure.kind === 'invalid_client') return clientRefused({ ...about, ...attempt, clientId: clientOf(token.auth).id, nextAt: next.atMs });
      return attemptFailed({ ...about, ...attempt, nextAt: next.atMs });
    case 'stop':
      return maximumReached({ ...about, attempts: failures });
    case 'bury':
      return grantDead({ ...about, expiresAt: expiresAt(token) });
    case 'doubt':
      return grantInDoubt({ ...about, asksAgain: settlement(owner.providerPolicy, owner.graceMs, 0) === 'ask_again', expiresAt: expiresAt(token) });
  }
}
