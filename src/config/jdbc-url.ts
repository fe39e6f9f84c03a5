import { Secret } from '../domain/secret.ts';
import { Refusal } from './leaf.ts';

/** How the connection to the database is encrypted, in the order of strength; the words of Connector/J's `sslMode`. */
export const tlsModes = ['disabled', 'preferred', 'required', 'verify-ca', 'verify-identity'] as const;
export type TlsMode = (typeof tlsModes)[number];

export interface JdbcUrl {
  readonly host: string;
  readonly port: number;
  readonly schema: string;
  readonly tls: TlsMode;
  readonly user?: string | undefined;
  readonly password?: Secret | undefined;
  /** What the URL asks for and does not get. */
  readonly warnings: readonly string[];
}

const defaultPort = 3306;
const shape = /^jdbc:(?:mysql|mariadb):(?:(\w[\w:-]*):)?\/\/([^/?]*)\/([^?]*)(?:\?(.*))?$/i;
const taken = new Set(['usessl', 'requiressl', 'verifyservercertificate', 'sslmode', 'user', 'username', 'password', 'servertimezone']);
/** About the driver alone: nothing is missed without them. */
const driverOnly = /^(?:autoreconnect.*|useunicode|characterencoding|allowpublickeyretrieval|uselegacydatetimecode|usejdbccomplianttimezoneshift|zerodatetimebehavior|tinyint1isbit|cache\w+|useserverprepstmts|rewritebatchedstatements|connectiontimezone|forceconnectiontimezonetosession|nullnamepatternmatchesall|nocatalogtermassessment|createdatabaseifnotexist|maxreconnects|initialtimeout|failoverreadonly|usecursorfetch|profilesql|useinformationschema|dontTrackOpenResources|tcp\w+|paranoid|logger|pin\w+)$/i;

/**
 * Reads `jdbc:mysql://host[:port]/schema?options`. No reason or warning repeats a value: a password may stand among the options.
 * TLS is chosen as Connector/J 8 does: `sslMode` before the older options, `preferred` without any.
 */
export function parseJdbcUrl(url: string): JdbcUrl | Refusal {
  const [, mode, authority = '', schema = '', query = ''] = shape.exec(url.trim()) ?? [];
  if (authority === '' || schema === '') return new Refusal('is not of the form jdbc:mysql://host[:port]/schema?options');
  const options = readOptions(query);
  const host = readHost(authority);
  if (host instanceof Refusal) return host;
  const tls = tlsMode(options);
  if (tls instanceof Refusal) return tls;
  return {
    host: host.host, port: host.port, schema: decode(schema), tls,
    user: options.get('user') ?? options.get('username') ?? host.user,
    password: optionalSecret(options.get('password') ?? host.password),
    warnings: [...host.warnings, ...(mode === undefined ? [] : [`"${mode}" is not supported: the first host is used`]), ...optionWarnings(options)],
  };
}

function readOptions(query: string): ReadonlyMap<string, string> {
  const pairs = query.split('&').filter(Boolean).map((pair): [string, string] => {
    const [name = '', ...value] = pair.split('=');
    return [decode(name).toLowerCase(), decode(value.join('='))];
  });
  return new Map(pairs);
}

interface Host {
  readonly host: string;
  readonly port: number;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly warnings: readonly string[];
}

function readHost(authority: string): Host | Refusal {
  const at = authority.lastIndexOf('@');
  const [user, ...password] = at < 0 ? [] : authority.slice(0, at).split(':');
  const [first = '', ...others] = authority.slice(at + 1).split(',');
  const [, v6, name, port] = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(first) ?? [];
  const host = v6 ?? name;
  const number = port === undefined ? defaultPort : Number(port);
  if (host === undefined || number < 1 || number > 65535) return new Refusal('names no host and port that can be read');
  return {
    host, port: number,
    user: user === undefined ? undefined : decode(user),
    password: password.length === 0 ? undefined : decode(password.join(':')),
    warnings: others.length === 0 ? [] : ['several hosts are not supported: the first is used'],
  };
}

function tlsMode(options: ReadonlyMap<string, string>): TlsMode | Refusal {
  const asked = options.get('sslmode');
  if (asked !== undefined) {
    const mode = asked.toLowerCase().replace('_', '-').replace('verify-full', 'verify-identity');
    return tlsModes.find((known) => known === mode) ?? new Refusal('has an sslMode that is not one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY');
  }
  const isSet = (name: string): boolean => options.get(name)?.toLowerCase() === 'true';
  if (options.get('usessl')?.toLowerCase() === 'false') return 'disabled';
  if (isSet('verifyservercertificate')) return 'verify-ca';
  return isSet('requiressl') ? 'required' : 'preferred';
}

function optionWarnings(options: ReadonlyMap<string, string>): string[] {
  const zone = options.get('servertimezone');
  const ignored = [...options.keys()].filter((name) => !taken.has(name) && !driverOnly.test(name)).map((name) => `the option ${name} is ignored`);
  return zone === undefined || /^(?:utc|gmt|z|etc\/utc|(?:gmt|utc)?[+-]0?0(?::?00)?)$/i.test(zone) ? ignored : [...ignored, 'serverTimezone is ignored: the session is always in UTC'];
}

function optionalSecret(value: string | undefined): Secret | undefined {
  return value === undefined ? undefined : new Secret(value);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
