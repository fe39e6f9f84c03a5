import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorAnswer, plainAnswer, refusalAnswer, tokenAnswer } from './answer.ts';
import type { Answer } from './answer.ts';
import { answersWithoutSaying, refusesBeforeCommit } from './behaviour.ts';
import type { Behaviour } from './behaviour.ts';
import type { BehaviourScript } from './behaviour-script.ts';
import { authenticateClient } from './client-authentication.ts';
import type { Client } from './client-authentication.ts';
import { deliver, send } from './delivery.ts';
import type { GrantBook, RefreshTwist } from './grant-book.ts';

export interface EndpointParts {
  readonly clients: ReadonlyMap<string, Client>;
  readonly book: GrantBook;
  readonly script: BehaviourScript;
  readonly latencyMs: number;
  /** Resolves when hanging answers are let go. */
  readonly released: () => Promise<void>;
}

/** `POST /token` and `POST /revoke` over one set of grants. */
export async function answerRequest(parts: EndpointParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url?.split('?')[0];
  if (request.method !== 'POST' || (path !== '/token' && path !== '/revoke')) {
    await send(response, plainAnswer(404));
    return;
  }
  const form = new URLSearchParams(await readBody(request));
  if (path === '/revoke') {
    await send(response, revoke(parts, request, form));
    return;
  }
  const behaviour = parts.script.take({ grantId: parts.book.grantOf(form.get('refresh_token') ?? ''), clientPort: request.socket.remotePort });
  const { presentations } = parts.book.account;
  const before = presentations.length;
  const answer = refresh(parts, request, form, behaviour);
  const presentation = presentations[before];
  if (presentation && behaviour) presentation.behaviour = behaviour.kind;
  const latency: Behaviour | null = parts.latencyMs > 0 ? { kind: 'slow', ms: parts.latencyMs } : null;
  const whole = await deliver(response, answer, behaviour ?? latency, parts.released());
  if (presentation && whole && !(behaviour && answersWithoutSaying(behaviour))) presentation.answeredAt = Date.now();
}

/** The whole decision is made and committed here, before a byte is sent. */
function refresh({ clients, book }: EndpointParts, request: IncomingMessage, form: URLSearchParams, behaviour: Behaviour | null): Answer {
  const now = Date.now();
  const token = form.get('refresh_token');
  const client = authenticateClient(clients, request.headers.authorization, form);
  if (behaviour && refusesBeforeCommit(behaviour)) {
    if (token) book.holdOff(token, 'held off', now);
    return refusalAnswer(behaviour);
  }
  if (!client) {
    book.account.clientFailures++;
    if (token) book.holdOff(token, 'client refused', now);
    return errorAnswer(401, 'invalid_client', 'client authentication failed');
  }
  if (!isForm(request)) return errorAnswer(400, 'invalid_request', 'not a form');
  if (form.get('grant_type') !== 'refresh_token') return errorAnswer(400, 'unsupported_grant_type');
  if (!token) return errorAnswer(400, 'invalid_request', 'refresh_token is missing');
  const redemption = book.redeem(client.id, token, twistOf(behaviour), now);
  return 'issued' in redemption ? tokenAnswer(redemption.issued, behaviour) : errorAnswer(400, 'invalid_grant', redemption.refused);
}

/** RFC 7009: a refresh token takes its grant with it; the answer is 200 for unknown tokens too. */
function revoke({ clients, book }: EndpointParts, request: IncomingMessage, form: URLSearchParams): Answer {
  if (!authenticateClient(clients, request.headers.authorization, form)) return errorAnswer(401, 'invalid_client');
  const token = form.get('token') ?? '';
  const grantId = book.grantOf(token);
  if (grantId !== null) book.revokeGrant(grantId, Date.now());
  else book.revokeAccessToken(token, Date.now());
  return { status: 200, headers: {}, body: '' };
}

function twistOf(behaviour: Behaviour | null): RefreshTwist {
  switch (behaviour?.kind) {
    case 'omit':
      return { keepRefreshToken: behaviour.field === 'refresh_token' };
    case 'same-access-token':
      return { sameAccessToken: true };
    case 'long-tokens':
      return { tokenLength: behaviour.length ?? 8192 };
    default:
      return {};
  }
}

function isForm(request: IncomingMessage): boolean {
  return request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
