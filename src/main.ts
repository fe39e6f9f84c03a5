#!/usr/bin/env node
import { longestStopMs } from './assembly/settings.ts';
import { ConfigError } from './config/faults.ts';
import { describeConfig } from './config/describe.ts';
import { loadConfig } from './config/load.ts';
import type { Config } from './config/config.ts';
import { ServiceError } from './domain/errors.ts';
import { createLogging, type Logging } from './runtime/logger.ts';
import { createService, version, type TokenPoolService } from './service.ts';

const usage = `token-pool-service ${version}

Usage:
  node dist/main.js server [config.yml]   start the service
  node dist/main.js check [config.yml]    check the configuration, print what applies (without secrets), and end
  node dist/main.js --version | --help

Without a file, environment variables (TOKENPOOL_...) and defaults apply. docs/configuration.md lists every key.
`;

await run(process.argv.slice(2));

async function run([command, file]: readonly string[]): Promise<void> {
  switch (command) {
    case 'server':
      return serve(readConfig(file));
    case 'check':
      process.stdout.write(`${JSON.stringify(describeConfig(readConfig(file)), undefined, 2)}\n`);
      return;
    case '--version':
    case 'version':
      process.stdout.write(`${version}\n`);
      return;
    case '--help':
    case '-h':
    case 'help':
      process.stdout.write(usage);
      return;
    default:
      process.stderr.write(command === undefined ? usage : `Unknown command "${command}".\n\n${usage}`);
      process.exit(2);
  }
}

function readConfig(file: string | undefined): Config {
  try {
    return loadConfig(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}

async function serve(config: Config): Promise<void> {
  const logging = createLogging(config.logging, { base: { node: config.cluster.nodeId } });
  const logger = logging.logger('service');
  for (const warning of config.warnings) logger.warn({}, warning);
  logger.info({ version, config: describeConfig(config) }, 'The service starts');
  process.on('unhandledRejection', (error) => logger.error({ error }, 'An error was not handled'));
  const service = await started(config, logging);
  stopOnSignal(service, config, logging);
  logger.info({}, 'The service is ready');
}

async function started(config: Config, logging: Logging): Promise<TokenPoolService> {
  try {
    const service = await createService(config, logging);
    await service.start();
    return service;
  } catch (error) {
    logging.logger('service').error({ error }, 'The service cannot start');
    await logging.close();
    process.stderr.write(`Unable to start the server. ${reasonOf(error)}\n`);
    return process.exit(1);
  }
}

/** A second signal ends the time that balancers are given to notice. */
function stopOnSignal(service: TokenPoolService, config: Config, logging: Logging): void {
  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return service.hurry();
    stopping = true;
    const answersForMs = config.http.shutdownDelay;
    logging.logger('service').info({ signal, answersForMs }, answersForMs > 0 ? 'The service stops, and answers on until balancers have noticed; a second signal ends this wait' : 'The service stops');
    setTimeout(() => void end(logging, 1), longestStopMs(config));
    await service.stop();
    await end(logging, 0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));
}

async function end(logging: Logging, code: number): Promise<never> {
  if (code !== 0) logging.logger('service').error({}, 'The service did not stop in time; it ends now, and what it leaves is taken up by the others');
  await logging.close();
  return process.exit(code);
}

function reasonOf(error: unknown): string {
  if (error instanceof ServiceError) return `${error.code}:${error.message}`;
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? error.cause.message : '';
  return error.message.includes(cause) ? error.message : `${error.message}: ${cause}`;
}
