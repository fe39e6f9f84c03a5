import { timingSafeEqual } from 'node:crypto';

export interface Client {
  readonly id: string;
  readonly secret: string;
}

/** base64 of `client_id:client_secret`, as the database keeps it. */
export function tokenAuthOf({ id, secret }: Client): string {
  return Buffer.from(`${id}:${secret}`).toString('base64');
}

/** The client that authenticated by Basic or in the body (RFC 6749 section 2.3.1); using both is refused. */
export function authenticateClient(clients: ReadonlyMap<string, Client>, authorization: string | undefined, form: URLSearchParams): Client | null {
  const inBody = form.has('client_secret');
  if (authorization === undefined) return inBody ? matching(clients, form.get('client_id') ?? '', form.get('client_secret') ?? '') : null;
  const match = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(authorization);
  if (!match?.[1] || inBody) return null;
  const [id, secret] = splitOnce(Buffer.from(match[1], 'base64').toString('utf8'));
  return matching(clients, id, secret) ?? matching(clients, decode(id), decode(secret));
}

function matching(clients: ReadonlyMap<string, Client>, id: string, secret: string): Client | null {
  const client = clients.get(id);
  if (!client) return null;
  const [given, expected] = [Buffer.from(secret), Buffer.from(client.secret)];
  return given.length === expected.length && timingSafeEqual(given, expected) ? client : null;
}

function splitOnce(credentials: string): [string, string] {
  const colon = credentials.indexOf(':');
  return colon < 0 ? [credentials, ''] : [credentials.slice(0, colon), credentials.slice(colon + 1)];
}

/** The RFC has id and secret form-encoded before base64; many clients leave that out, so both are taken. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
