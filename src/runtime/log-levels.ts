import type { LoggingOptions, LogLevel } from './log-options.ts';

/** Package names that the Java service logged under, as they stand in its configuration files. */
const ofTheWholeService = new Set(['com', 'com.wso2telco', 'com.wso2telco.dep', 'com.wso2telco.dep.tpservice']);
const ofTheListeners = new Set(['io', 'io.dropwizard', 'org.eclipse.jetty']);

/** The level of a logger such as `pool.refresh`: that of the longest configured name which is it, or one of its parents. */
export function levelOf(name: string, options: LoggingOptions): LogLevel {
  let best = { length: -1, level: options.level };
  for (const [configured, level] of Object.entries(options.loggers)) {
    const prefix = ourName(configured);
    if (isWithin(name, prefix) && prefix.length > best.length) best = { length: prefix.length, level };
  }
  return best.level;
}

function ourName(configured: string): string {
  if (ofTheWholeService.has(configured)) return '';
  return ofTheListeners.has(configured) ? 'http' : configured;
}

function isWithin(name: string, prefix: string): boolean {
  return prefix === '' || name === prefix || name.startsWith(`${prefix}.`);
}
