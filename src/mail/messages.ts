import type { RefreshFailure } from '../domain/refresh-outcome.ts';

export interface Message {
  readonly subject: string;
  readonly text: string;
}

/** What a refresh was about, and how it failed. */
export interface FailedRefresh {
  readonly ownerId: string;
  readonly tokenUrl: string;
  readonly failure: RefreshFailure;
}

export interface FailedAttempt extends FailedRefresh {
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Attempts in all: the first and `retrymax` more. */
  readonly attempts: number;
  /** Epoch ms. */
  readonly nextAt: number;
}

export function attemptFailed(mail: FailedAttempt): Message {
  return message(mail, [
    `The refresh of an access token failed. This was attempt ${mail.attempt} of ${mail.attempts}.`,
    `What happens next: it is tried again at ${time(mail.nextAt)}. Until then callers get the token that is valid now, as long as it lives.`,
    `What to do: nothing, if the cause is known to pass. ${remedy(mail.failure)}`,
  ]);
}

export function maximumReached(mail: FailedRefresh & { readonly attempts: number }): Message {
  return message(mail, [
    `The refresh of an access token failed ${mail.attempts} times: the maximum number of attempts is reached.`,
    `What happens next: this token is not refreshed any more${mail.failure.kind === 'invalid_client' ? ', nor are those of other owners with the same client' : ''}. Callers get it until it expires.`,
    `What to do: ${remedy(mail.failure)} ${restart(mail.ownerId)}${mail.failure.kind === 'invalid_client' ? ', and so for each of the other owners' : ''}`,
  ]);
}

/** @param mail.expiresAt when the access token that callers get now expires, epoch ms */
export function grantInDoubt(mail: FailedRefresh & { readonly asksAgain: boolean; readonly expiresAt: number }): Message {
  return message(mail, [
    'A refresh request was sent and no answer could be read. Whether the provider used the refresh token is not known.',
    mail.asksAgain
      ? 'What happens next: the provider lets a refresh token be presented again, so it is asked again.'
      : `What happens next: the refresh token is not presented again, because the provider would take that for theft. Callers get the access token until it expires, at ${time(mail.expiresAt)}.`,
    mail.asksAgain ? 'What to do: nothing yet.' : `What to do: ${renewal} ${restart(mail.ownerId)}`,
  ]);
}

export function grantDead(mail: FailedRefresh & { readonly expiresAt: number }): Message {
  return message(mail, [
    'The provider refused the refresh token, and did so again when asked to confirm: the grant is revoked or has expired.',
    `What happens next: this token is not refreshed any more. Callers get it until it expires, at ${time(mail.expiresAt)}.`,
    `What to do: ${renewal} ${restart(mail.ownerId)}`,
  ]);
}

/** One alert for all owners of a client. */
export function clientRefused(mail: FailedAttempt & { readonly clientId: string }): Message {
  return message(mail, [
    `The provider refused the credentials of the client "${oneLine(mail.clientId)}". This was attempt ${mail.attempt} of ${mail.attempts}.`,
    `What happens next: all owners of this client wait; the client is tried again at ${time(mail.nextAt)}. Callers get the tokens that are valid now, as long as they live.`,
    `What to do: ${remedy(mail.failure)} There is no further mail for the other owners of this client.`,
  ]);
}

export interface LapsedMail {
  readonly ownerId: string;
  /** The number of its row. */
  readonly version: number;
  /** When it expired and when it was replaced, epoch ms. */
  readonly from: number;
  readonly until: number;
}

/** Tokens named in a mail at most. */
const namedAtMost = 100;

/** One mail for all tokens that lapsed at the same time. @param lapsed one or more */
export function tokensLapsed(lapsed: readonly LapsedMail[]): Message {
  const owners = new Set(lapsed.map(({ ownerId }) => ownerId));
  const whose = owners.size === 1 ? `in "${oneLine(lapsed[0]?.ownerId ?? '')}"` : `in ${owners.size} owners`;
  const named = lapsed.slice(0, namedAtMost).map(({ ownerId, version, from, until }) =>
    `Owner: ${oneLine(ownerId)}, token ${version}: expired at ${time(from)}, replaced at ${time(until)}`);
  const more = lapsed.length > namedAtMost ? [`and ${lapsed.length - namedAtMost} more; all are in tstevent, with the status 4016.`] : [];
  const paragraphs = [
    [...named, ...more].join('\n'),
    `${lapsed.length === 1 ? 'An access token' : `${lapsed.length} access tokens`} expired before the service could refresh. Until then callers of an owner that has no other token got none. No refresh had failed: MySQL, without which nothing is refreshed, or the service itself was away, or a refresh took too long.`,
    'What happens next: nothing; callers get the new tokens.',
    'What to do: see in the logs of the nodes what was away at that time. Tokens outlive an outage that is shorter than refreshWakeUpLeadTime.',
  ];
  return { subject: `[Token Generation Failed]- Token expired before it was refreshed ${whose}`, text: `${paragraphs.join('\n\n')}\n` };
}

function message(mail: FailedRefresh, paragraphs: readonly string[]): Message {
  const facts = [`Owner: ${oneLine(mail.ownerId)}`, `Token endpoint: ${shownEndpoint(mail.tokenUrl)}`, `Error: ${oneLine(mail.failure.detail)}`];
  return { subject: subjectOf(mail), text: `${[facts.join('\n'), ...paragraphs.map((paragraph) => paragraph.trim())].join('\n\n')}\n` };
}

/** The three subjects that mail filters know, spelt as they always were. */
function subjectOf({ ownerId, failure }: FailedRefresh): string {
  const owner = `"${oneLine(ownerId)}"`;
  switch (failure.kind) {
    case 'unreachable':
    case 'in_doubt':
      return `[Token Generation Failed]- Error occurs while connecting to ${owner}`;
    case 'invalid_client':
      return `[Token Generation Failed]- Invalid Credentials in ${owner}`;
    case 'unavailable':
    case 'invalid_grant':
    case 'refused':
      return `[Token Genaration Failed]- Error Code : "${failure.status}" in ${owner}`;
  }
}

const renewal = 'let the owner give consent anew and put the new tokens into the table tsttoken.';

function restart(ownerId: string): string {
  return `Then restart the owner's pool: PUT /tokenservice/restart/${encodeURIComponent(ownerId.toWellFormed())}`;
}

function remedy(failure: RefreshFailure): string {
  switch (failure.kind) {
    case 'unreachable':
      return 'Check the address in tsxwho.tokenurl, the name service, the network and the certificate of the endpoint.';
    case 'invalid_client':
      return 'Check tsttoken.tokenauth: it is the base64 of client_id:client_secret, and the provider must know both.';
    case 'invalid_grant':
      return 'The consent may have been withdrawn; if so, let the owner give it anew.';
    case 'refused':
      return 'Check the address in tsxwho.tokenurl and what the provider has changed.';
    case 'unavailable':
    case 'in_doubt':
      return 'Ask the provider whether its token endpoint works.';
  }
}

/** Without query and credentials, which may hold a secret. */
function shownEndpoint(tokenUrl: string): string {
  if (!URL.canParse(tokenUrl)) return 'not a valid address';
  const { protocol, host, pathname } = new URL(tokenUrl);
  return `${protocol}//${host}${pathname}`;
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
