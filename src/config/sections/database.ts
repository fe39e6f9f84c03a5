import { z } from 'zod';

import { Secret } from '../../domain/secret.ts';
import { parseJdbcUrl } from '../jdbc-url.ts';
import type { JdbcUrl } from '../jdbc-url.ts';
import { leaf, section } from '../leaf.ts';
import { milliseconds, optionalText, pem, secretText, wholeNumber } from '../leaves.ts';

const local: JdbcUrl = { host: 'localhost', port: 3306, schema: 'token_service', tls: 'preferred', warnings: [] };

const keys = z.strictObject({
  url: leaf({
    about: 'Where the database is. `sslMode`, `useSSL`, `requireSSL`, `verifyServerCertificate`, `serverTimezone`, `user` and `password` are read from its options',
    allowed: 'JDBC URL, `jdbc:mysql://host[:port]/schema?options`',
    fallback: local,
    shown: 'jdbc:mysql://localhost/token_service',
    secret: true,
    read: parseJdbcUrl,
  }),
  user: optionalText('Name to log in with', { shown: 'that of the URL, else `root`' }),
  password: secretText('Password to log in with', 'that of the URL'),
  ca: pem('Certificate authorities that may sign the certificate of the database', 'those of the system'),
  connectionLimit: wholeNumber('Connections in use at once', 10, [1, 1_000]),
  queryTimeout: milliseconds('Longest wait for a connection, and again for the answer to a statement', 2_000, [50, 600_000]),
});

export const databaseSection = section(keys.transform(({ url, user, password, ca, connectionLimit, queryTimeout }) => ({
  host: url.host,
  port: url.port,
  schema: url.schema,
  tls: url.tls,
  ca,
  user: user ?? url.user ?? 'root',
  password: password ?? url.password ?? new Secret(''),
  connectionLimit,
  queryTimeout,
  urlWarnings: url.warnings,
})));
