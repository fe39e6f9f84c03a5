import { readWholeNumber } from './leaves.ts';
import { forgivingRanges } from './sections/waiting.ts';
import { isTree } from './tree.ts';
import type { RawValue, Tree } from './tree.ts';

const connector =
  'inheritChannel headerCacheSize outputBufferSize maxRequestHeaderSize maxResponseHeaderSize inputBufferSize idleTimeout blockingTimeout minBufferPoolSize bufferPoolIncrement maxBufferPoolSize minRequestDataPerSecond minResponseDataPerSecond minRequestDataRate minResponseDataRate acceptorThreads selectorThreads acceptQueueSize reuseAddress soLingerTime useServerHeader useDateHeader useForwardedHeaders useProxyProtocol httpCompliance uriCompliance requestCookieCompliance responseCookieCompliance cookieCompliance keyStorePath keyStorePassword keyStoreType keyStoreProvider trustStorePath trustStorePassword trustStoreType trustStoreProvider keyManagerPassword needClientAuth wantClientAuth certAlias crlPath enableCRLDP enableOCSP maxCertPathLength ocspResponderUrl jceProvider validateCerts validatePeers supportedProtocols excludedProtocols supportedCipherSuites excludedCipherSuites allowRenegotiation endpointIdentificationAlgorithm disableSniHostCheck';

/** Keys that Dropwizard knows and that mean nothing to this service, by the section they stand in. */
const ignored: Readonly<Record<string, string>> = {
  '': 'admin health swagger',
  database:
    'driverClass properties maxWaitForConnection validationQuery validationQueryTimeout minSize maxSize initialSize checkConnectionWhileIdle checkConnectionOnBorrow checkConnectionOnConnect checkConnectionOnReturn autoCommentsEnabled evictionInterval minIdleTime commitOnReturn rollbackOnReturn autoCommitByDefault readOnlyByDefault defaultCatalog defaultReadOnly defaultTransactionIsolation useFairQueue logAbandonedConnections logValidationErrors maxConnectionAge removeAbandoned removeAbandonedTimeout abandonWhenPercentageFull alternateUsernamesAllowed alternateUsernameAllowed initializationQuery ignoreExceptionOnPreLoad jdbcInterceptors validatorClassName healthCheckValidationTimeout healthCheckValidationQuery',
  server:
    'type connector maxThreads minThreads maxQueuedRequests idleThreadTimeout nofileSoftLimit nofileHardLimit gid uid user group umask startsAsRoot registerDefaultExceptionMappers detailedJsonProcessingExceptionMapper shutdownGracePeriod allowedMethods rootPath enableThreadNameFilter dumpAfterStart dumpBeforeStop applicationContextPath adminContextPath adminMinThreads adminMaxThreads enableAdminVirtualThreads enableVirtualThreads responseMeteredLevel metricPrefix requestLog gzip compression serverPush',
  'server.applicationConnectors[]': connector,
  'server.adminConnectors[]': connector,
  logging: 'type',
  'logging.appenders[]':
    'queueSize discardingThreshold includeCallerData filterFactories filters messageRate neverBlock layout maxFileSize totalSizeCap bufferSize immediateFlush host port facility stackTracePrefix includeStackTrace connectionTimeout sendBufferSize',
  metrics: 'frequency reporters reportOnStop',
};

/** Appenders that Dropwizard has and this service has not. */
const otherAppenders = new Set(['syslog', 'tcp', 'udp', 'tls']);

const meanings: Readonly<Record<string, string>> = {
  keyStorePath: 'a Java key store is not read: give certificateFile and keyFile (PEM)',
  connector: 'the ports are those of applicationConnectors and adminConnectors',
  maxSize: 'see database.connectionLimit',
  shutdownGracePeriod: 'see http.shutdownDelay and http.shutdownGrace',
  maxFileSize: 'a file is archived by its date alone',
  requestLog: 'requests are logged by the logger "http" at DEBUG',
};

/** Takes out of an old file what only the Java service understood, and puts right what it ran with. @returns what was done, a line each */
export function settleOldFile(tree: Tree): string[] {
  return [...dropAppenders(tree), ...dropIgnored(tree), ...forgive(tree)];
}

function dropIgnored(tree: Tree): string[] {
  return Object.entries(ignored).flatMap(([place, keys]) => sectionsAt(tree, place).flatMap(([path, found]) => (
    keys.split(' ').filter((key) => Object.hasOwn(found, key)).map((key) => {
      Reflect.deleteProperty(found, key);
      return `${path === '' ? '' : `${path}.`}${key}: a Dropwizard setting without a meaning here, ignored${key in meanings ? `; ${String(meanings[key])}` : ''}`;
    })
  )));
}

function sectionsAt(tree: Tree, place: string): [string, Tree][] {
  const [section = '', list] = place.replace('[]', '').split('.');
  const found = section === '' ? tree : tree[section];
  if (!isTree(found)) return [];
  if (list === undefined) return [[section, found]];
  const items = found[list];
  return Array.isArray(items) ? items.flatMap((item, index): [string, Tree][] => (isTree(item) ? [[`${section}.${list}[${index}]`, item]] : [])) : [];
}

function dropAppenders(tree: Tree): string[] {
  const logging = tree['logging'];
  if (!isTree(logging) || !Array.isArray(logging['appenders'])) return [];
  const otherType = (item: RawValue): string[] => (isTree(item) && typeof item['type'] === 'string' && otherAppenders.has(item['type']) ? [item['type']] : []);
  const others = logging['appenders'].flatMap(otherType);
  if (others.length === 0) return [];
  const left = logging['appenders'].filter((item) => otherType(item).length === 0);
  logging['appenders'] = left.length > 0 ? left : null;
  return others.map((type) => `logging.appenders: "${type}" is not supported, ignored; there are console and file`);
}

function forgive(tree: Tree): string[] {
  return Object.entries(forgivingRanges).flatMap(([key, [min, max]]) => {
    const found = tree[key];
    const value = typeof found === 'string' ? readWholeNumber(found) : undefined;
    if (value === undefined || (value >= min && value <= max)) return [];
    tree[key] = null;
    return [`${key}: ${value} is outside ${min} to ${max}; the default is used`];
  });
}
