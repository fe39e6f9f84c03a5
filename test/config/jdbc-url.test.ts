import { expect, test } from 'vitest';

import { parseJdbcUrl } from '../../src/config/jdbc-url.ts';
import { Refusal } from '../../src/config/leaf.ts';
import { parseRedisUrl } from '../../src/config/redis-url.ts';

test.each([
  ['jdbc:mysql://localhost/token_service', { host: 'localhost', port: 3306, schema: 'token_service', tls: 'preferred', warnings: [] }],
  ['jdbc:mysql://db.example:3307/x?useSSL=false', { host: 'db.example', port: 3307, schema: 'x', tls: 'disabled' }],
  ['jdbc:mysql://db/x?useSSL=true', { tls: 'preferred' }],
  ['jdbc:mysql://db/x?useSSL=true&requireSSL=true', { tls: 'required' }],
  ['jdbc:mysql://db/x?requireSSL=true&verifyServerCertificate=true', { tls: 'verify-ca' }],
  ['jdbc:mysql://db/x?useSSL=false&requireSSL=true', { tls: 'disabled' }],
  ['jdbc:mysql://db/x?sslMode=VERIFY_IDENTITY&useSSL=false', { tls: 'verify-identity' }],
  ['jdbc:mysql://db/x?sslmode=disabled', { tls: 'disabled' }],
  ['jdbc:mariadb://db/x?sslMode=verify-full', { tls: 'verify-identity' }],
  ['jdbc:mysql://[::1]:3306/x', { host: '::1', port: 3306 }],
  ['jdbc:mysql://db/x?serverTimezone=UTC&autoReconnect=true&useUnicode=yes&characterEncoding=UTF-8', { warnings: [] }],
  ['jdbc:mysql://db/x?serverTimezone=Asia/Colombo', { warnings: ['serverTimezone is ignored: the session is always in UTC'] }],
  ['jdbc:mysql://db/x?socketTimeout=5', { warnings: ['the option sockettimeout is ignored'] }],
  ['jdbc:mysql://a:1,b:2/x', { host: 'a', port: 1, warnings: ['several hosts are not supported: the first is used'] }],
  ['jdbc:mysql:loadbalance://a,b/x', { host: 'a' }],
  ['jdbc:mysql://db/x?user=me', { user: 'me' }],
])('the database URL %s is read', (url, expected) => {
  expect(parseJdbcUrl(url)).toMatchObject(expected);
});

test('credentials of a database URL are decoded and kept as a secret', () => {
  for (const url of ['jdbc:mysql://db/x?user=a&password=p%40%26', 'jdbc:mysql://a:p%40&@db/x']) {
    const read = parseJdbcUrl(url);
    if (read instanceof Refusal) throw new Error(read.reason);
    expect([read.host, read.user, read.password?.reveal()]).toEqual(['db', 'a', 'p@&']);
  }
});

test.each(['mysql://db/x', 'jdbc:mysql://db', 'jdbc:mysql:///x', 'jdbc:mysql://db:99999/x', 'jdbc:mysql://d b/x', 'jdbc:mysql://db/x?sslMode=SOMETIMES', 'jdbc:postgresql://db/x'])(
  'the database URL %s is refused', (url) => expect(parseJdbcUrl(url)).toBeInstanceOf(Refusal),
);

test.each([
  ['redis://cache', { url: 'redis://cache:6379', tls: false, db: undefined }],
  ['rediss://cache:7000/2', { url: 'rediss://cache:7000', tls: true, db: 2 }],
  ['redis://me:p%40@[::1]:6380/', { url: 'redis://[::1]:6380', username: 'me' }],
])('the Redis URL %s is read', (url, expected) => {
  expect(parseRedisUrl(url)).toMatchObject(expected);
});

test('the password of a Redis URL is decoded', () => {
  const read = parseRedisUrl('redis://:p%40@cache');
  expect(read instanceof Refusal ? undefined : read.password?.reveal()).toBe('p@');
});

test.each(['http://cache', 'redis:cache', 'redis://', 'redis://cache/x', 'redis://cache/1?x=1', 'redis://cache:999999'])(
  'the Redis URL %s is refused', (url) => expect(parseRedisUrl(url)).toBeInstanceOf(Refusal),
);
