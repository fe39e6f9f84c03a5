import { ServiceError } from '../domain/errors.ts';
import type { TokenAnswer } from '../domain/refresh-outcome.ts';
import { clientOf, refreshRequest, type RefreshCredentials, type RefreshRequest } from './refresh-request.ts';
import { Sender, type SendOptions, type Sent } from './send.ts';
import { readTokenResponse } from './token-response.ts';

/** Asks providers for new tokens; whatever happens is an answer. */
export class TokenEndpoint {
  readonly #sender: Sender;

  constructor(options: SendOptions) {
    this.#sender = new Sender(options);
  }

  /** Presents the refresh token once. */
  async refresh(credentials: RefreshCredentials, retryStatuses: readonly number[]): Promise<TokenAnswer> {
    let request: RefreshRequest;
    try {
      request = refreshRequest(credentials);
    } catch (error) {
      if (error instanceof ServiceError) return { kind: 'unreachable', detail: `${error.code}:${error.message}` };
      throw error;
    }
    return answerOf(await this.#sender.send(request), credentials, retryStatuses);
  }
}

function answerOf(sent: Sent, credentials: RefreshCredentials, retryStatuses: readonly number[]): TokenAnswer {
  const { auth, refreshToken } = credentials;
  switch (sent.kind) {
    case 'reply': {
      const secrets = [refreshToken, auth, clientOf(auth).secret];
      return readTokenResponse(sent.reply, refreshToken, { retryStatuses, secrets, now: Date.now() });
    }
    case 'not_left':
      return { kind: 'unreachable', detail: sent.detail };
    case 'no_answer':
      return { kind: 'in_doubt', status: sent.status, detail: sent.detail };
  }
}
