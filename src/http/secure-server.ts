import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import https from 'node:https';

import type { Logger } from '../runtime/log.ts';
import { codeOf } from './connector.ts';
import type { Connector } from './connector.ts';

/** ms between two looks whether the certificate was renewed. */
const lookMs = 30_000;

interface KeyFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

/**
 * An https server that takes over a renewed certificate while it runs; until a new pair fits together the old one stays in use.
 * @throws Error that says which file is missing, unreadable or wrong
 */
export function secureServer(connector: Connector, options: https.ServerOptions, log: Logger, everyMs = lookMs): https.Server {
  const files = keyFilesOf(connector);
  const server = createServer(files, options);
  const renew = (): void => {
    try {
      server.setSecureContext(readKeyPair(files));
      log.info({ certificateFile: files.certificateFile }, 'The renewed certificate is in use');
    } catch (error) {
      log.warn({ err: error, certificateFile: files.certificateFile }, 'The renewed certificate cannot be used yet; the old one stays');
    }
  };
  const names = [files.certificateFile, files.keyFile];
  for (const name of names) watchFile(name, { interval: everyMs, persistent: false }, renew);
  return server.once('close', () => { for (const name of names) unwatchFile(name, renew); });
}

function keyFilesOf({ port, certificateFile, keyFile }: Connector): KeyFiles {
  if (certificateFile === undefined || keyFile === undefined) {
    throw new Error(`The https connector of port ${port} needs both certificateFile and keyFile`);
  }
  return { certificateFile, keyFile };
}

function createServer(files: KeyFiles, options: https.ServerOptions): https.Server {
  const pair = readKeyPair(files);
  try {
    return https.createServer({ ...options, ...pair });
  } catch (cause) {
    throw new Error(`${files.certificateFile} and ${files.keyFile} are no certificate and key that belong together, in PEM and without a password (${codeOf(cause)})`, { cause });
  }
}

function readKeyPair({ certificateFile, keyFile }: KeyFiles): { cert: Buffer; key: Buffer } {
  return { cert: read(certificateFile, 'certificateFile'), key: read(keyFile, 'keyFile') };
}

function read(file: string, setting: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new Error(`${setting} ${file} cannot be read (${codeOf(cause)}): check that it exists and that this user may read it`, { cause });
  }
}
