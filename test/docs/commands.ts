import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { codeBlocks } from './sql-blocks.ts';
import type { SqlDocument } from './sql-blocks.ts';

const run = promisify(execFile);

/**
 * Runs a command of the documentation as it stands there; what one of its pipes says counts, too.
 * @param containing what tells it from the others
 */
export async function runDocumented(document: SqlDocument, containing: string, options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> }): Promise<void> {
  const command = codeBlocks(document, 'sh').find((block) => block.includes(containing));
  if (command === undefined) throw new Error(`docs/${document} has no command with "${containing}"`);
  await run('bash', ['-e', '-o', 'pipefail', '-c', command], { cwd: options.cwd, env: { PATH: process.env['PATH'], ...options.env } });
}
