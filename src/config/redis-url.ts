import { Secret } from '../domain/secret.ts';
import { Refusal } from './leaf.ts';

export interface RedisUrl {
  /** Without credentials and database number. */
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: Secret | undefined;
  readonly db?: number | undefined;
  readonly tls: boolean;
}

/** Reads `redis[s]://[[user]:password@]host[:port][/db]`. No reason repeats the value: a password may stand in it. */
export function parseRedisUrl(text: string): RedisUrl | Refusal {
  if (!/^rediss?:\/\//i.test(text) || !URL.canParse(text)) return new Refusal('is not of the form redis://host:port or rediss://host:port');
  const url = new URL(text);
  const [, db] = /^\/?(\d*)$/.exec(url.pathname) ?? [];
  if (url.hostname === '' || db === undefined || url.search !== '' || url.hash !== '') return new Refusal('has more than user, password, host, port and database number, or lacks the host');
  try {
    return {
      url: `${url.protocol}//${url.hostname}:${url.port === '' ? '6379' : url.port}`,
      username: url.username === '' ? undefined : decodeURIComponent(url.username),
      password: url.password === '' ? undefined : new Secret(decodeURIComponent(url.password)),
      db: db === '' ? undefined : Number(db),
      tls: url.protocol === 'rediss:',
    };
  } catch {
    return new Refusal('has user or password with a % that is not an escape');
  }
}
