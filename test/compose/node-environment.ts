import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { compose, deploy, environmentOf } from './compose-file.ts';

const root = join(deploy, '..');

/** As much of what `check` prints as the tests look at; times in ms. */
export interface CheckedNode {
  readonly http: { readonly shutdownDelay: number; readonly shutdownGrace: number };
  readonly refresh: { readonly connectTimeout: number; readonly requestTimeout: number };
  readonly server: { readonly applicationConnectors: readonly { readonly port: number }[]; readonly adminConnectors: readonly { readonly port: number }[] };
  readonly cluster: { readonly nodeId: string };
}

/** Where the image says that the journal is. */
export const journalFolder = /TOKENPOOL_JOURNAL_FOLDER=(\S+)/.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'))?.[1] ?? '';

/** What the service finds in its environment in the container of a node: what the image says, and what the file does. */
export function containerEnvironment(name: string): Record<string, string> {
  return { TOKENPOOL_JOURNAL_FOLDER: journalFolder, ...environmentOf(name), TOKENPOOL_SEALING_KEYS_0_KEY_FILE: sealingKeyFile(name) };
}

/** `node dist/main.js check` in that environment. @throws with what it complains of */
export async function checkNode(name: string, over: Readonly<Record<string, string>> = {}): Promise<CheckedNode> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'dist/main.js'), 'check'], { env: { ...containerEnvironment(name), ...over } });
  return JSON.parse(stdout) as CheckedNode;
}

/** Where the secret that is mounted at the named path lies on this machine. */
function sealingKeyFile(name: string): string {
  const { TOKENPOOL_SEALING_KEYS_0_KEY_FILE: mounted = '' } = environmentOf(name);
  const [, secret = ''] = /^\/run\/secrets\/([\w-]+)$/.exec(mounted) ?? [];
  return join(deploy, compose.secrets[secret]?.file ?? '');
}
