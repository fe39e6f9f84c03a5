import { z } from 'zod';

import { listOf, section } from '../leaf.ts';
import { choice, optionalText, readableFile, wholeNumber } from '../leaves.ts';

export const serverSection = section(z.strictObject({
  applicationConnectors: listOf(connector(8181), 'Where callers are answered', 'one, with the defaults below', [{}]),
  adminConnectors: listOf(connector(8282), 'Where operators are answered: health, metrics, state of the cluster', 'one, with the defaults below', [{}]),
}).superRefine(({ applicationConnectors, adminConnectors }, context) => {
  if (applicationConnectors.length === 0) context.addIssue({ code: 'custom', path: ['applicationConnectors'], message: 'found an empty list; allowed: one connector or more' });
  for (const [index, { port }] of adminConnectors.entries()) {
    const shared = applicationConnectors.findIndex((other) => other.port === port && port !== 0);
    if (shared < 0) continue;
    context.addIssue({ code: 'custom', path: ['adminConnectors', index, 'port'], message: `found ${port}, which is also that of server.applicationConnectors[${shared}]; allowed: a port of its own` });
  }
}));

function connector(defaultPort: number) {
  return section(z.strictObject({
    type: choice('Protocol of the port', 'http', ['http', 'https']),
    port: wholeNumber('Port to listen on; 0 takes any free one', defaultPort, [0, 65_535]),
    bindHost: optionalText('Address of this machine to listen on', { shown: 'all addresses', pattern: /^\S+$/, allowed: 'host name or address' }),
    certificateFile: readableFile('For https: PEM file with the certificate and its chain'),
    keyFile: readableFile('For https: PEM file with the private key, without a password'),
  }).superRefine(({ type, certificateFile, keyFile }, context) => {
    if (type !== 'https') return;
    for (const [name, file] of Object.entries({ certificateFile, keyFile })) {
      if (file === undefined) context.addIssue({ code: 'custom', path: [name], message: 'missing, and type is https; allowed: path of a PEM file (a Java key store is not read)' });
    }
  }));
}
