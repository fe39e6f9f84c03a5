import type { Environment } from './environment.ts';

const passedOn = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'TZ'];

/** What a process of the service's own needs of the environment: which certificates the machine trusts, never a secret. */
export function childEnvironment(environment: Environment = process.env): Record<string, string> {
  return Object.fromEntries(passedOn.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])));
}
