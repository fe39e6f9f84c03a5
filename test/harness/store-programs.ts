import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** System packages put servers where an ordinary user's PATH does not look. */
const USUAL_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/usr/libexec', '/usr/local/mysql/bin', '/opt/homebrew/bin', '/opt/homebrew/sbin'];

/** The path of the first of these programs this machine has. */
export function findProgram(...names: readonly string[]): string {
  const found = names.map(locate).find((path) => path !== undefined);
  if (found === undefined) throw new Error(`None of ${names.join(', ')} is installed; 'npm test' installs what is missing.`);
  return found;
}

function locate(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...USUAL_FOLDERS];
  return folders.filter((folder) => folder !== '').map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
