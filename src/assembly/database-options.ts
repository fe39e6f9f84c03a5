import type { Config } from '../config/config.ts';
import type { DatabaseOptions } from '../mysql/connection.ts';

export function databaseOptions({ database }: Config): DatabaseOptions {
  const { host, port, user, password, schema, connectionLimit, queryTimeout, tls, ca } = database;
  const verify = tls === 'verify-ca' || tls === 'verify-identity';
  return {
    host,
    port,
    user,
    password,
    schema,
    connectionLimit,
    queryTimeoutMs: queryTimeout,
    ...(tls === 'required' || verify ? { tls: { verify, ...(ca === undefined ? {} : { ca }) } } : {}),
  };
}
