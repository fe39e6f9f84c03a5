import { ServiceError } from '../domain/errors.ts';
import { Secret } from '../domain/secret.ts';

export interface RefreshCredentials {
  readonly tokenUrl: string;
  /** base64 of `client_id:client_secret`. */
  readonly auth: Secret;
  readonly refreshToken: Secret;
}

/** A request for a new access token (RFC 6749 section 6), ready to be sent. */
export interface RefreshRequest {
  readonly url: URL;
  /** The value of the header `Authorization`. */
  readonly authorization: Secret;
  /** The body, `application/x-www-form-urlencoded`. */
  readonly form: Secret;
}

/** @throws ServiceError TPS0018, TPS0019 or TPS0015 where the row cannot make a request */
export function refreshRequest({ tokenUrl, auth, refreshToken }: RefreshCredentials): RefreshRequest {
  const url = tokenEndpoint(tokenUrl);
  clientOf(auth);
  if (refreshToken.reveal() === '') throw new ServiceError('TPS0015');
  const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken.reveal() });
  return { url, authorization: new Secret(`Basic ${auth.reveal().trim()}`), form: new Secret(form.toString()) };
}

/**
 * The endpoint that a row names: http or https, and without credentials, which belong into `tokenauth`.
 * @throws ServiceError TPS0018
 */
export function tokenEndpoint(tokenUrl: string): URL {
  const url = URL.canParse(tokenUrl.trim()) ? new URL(tokenUrl.trim()) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') throw new ServiceError('TPS0018');
  return url;
}

export interface Client {
  readonly id: string;
  readonly secret: Secret;
}

/**
 * The client that `tokenauth` authenticates (RFC 6749 section 2.3.1; the secret may be empty).
 * @throws ServiceError TPS0019
 */
export function clientOf(auth: Secret): Client {
  const text = auth.reveal().trim();
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw new ServiceError('TPS0019');
  const decoded = Buffer.from(text, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon < 1) throw new ServiceError('TPS0019');
  return { id: decoded.slice(0, colon), secret: new Secret(decoded.slice(colon + 1)) };
}
