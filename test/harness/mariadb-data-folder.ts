import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { chmod, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { findProgram } from './store-programs.ts';

const run = promisify(execFile);

export interface DatabaseServer {
  readonly program: string;
  /** As the program itself words it. */
  readonly version: string;
  readonly isMariaDb: boolean;
  /** Arguments every start needs, set-up and service alike. */
  readonly args: readonly string[];
}

export async function findDatabaseServer(): Promise<DatabaseServer> {
  const program = findProgram('mariadbd', 'mysqld');
  const { stdout } = await run(program, ['--no-defaults', '--version']);
  const isMariaDb = stdout.includes('MariaDB');
  // Refused when missing and started as root; ignored with a warning for everybody else.
  const asRoot = process.getuid?.() === 0 ? ['--user=root'] : [];
  return { program, version: stdout.trim(), isMariaDb, args: ['--innodb-log-file-size=8M', ...asRoot] };
}

/**
 * Puts an initialised data folder at `folder`/data. Setting one up takes seconds, so the first one of this user and
 * server version is kept as an archive: one file, which a cleaner of the temporary folder takes whole or not at all,
 * and which appears by rename, so that tests starting together never see half of it.
 */
export async function placeDataFolder(server: DatabaseServer, folder: string): Promise<void> {
  const archive = archivePath(server);
  if (!await isOurs(archive)) await buildArchive(server, archive);
  await run('tar', ['-xf', archive, '-C', folder]);
}

function archivePath(server: DatabaseServer): string {
  const key = createHash('sha256').update(JSON.stringify([server, userInfo().uid])).digest('hex').slice(0, 16);
  return join(tmpdir(), `token-pool-service-tests-${key}.tar`);
}

/** A file of that name laid down by somebody else would run as our database. */
async function isOurs(archive: string): Promise<boolean> {
  if (!existsSync(archive)) return false;
  const owner = (await stat(archive)).uid;
  if (owner !== userInfo().uid) throw new Error(`${archive} belongs to user ${String(owner)}, remove it`);
  return true;
}

async function buildArchive(server: DatabaseServer, archive: string): Promise<void> {
  const workshop = await mkdtemp(join(tmpdir(), 'token-pool-service-setup-'));
  try {
    await initialise(server, join(workshop, 'data'));
    const draft = join(workshop, 'data.tar');
    await run('tar', ['-cf', draft, '-C', workshop, 'data']);
    await chmod(draft, 0o600);
    await rename(draft, archive);
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

async function initialise(server: DatabaseServer, data: string): Promise<void> {
  if (server.isMariaDb) {
    mkdirSync(data, { mode: 0o700 });
    const settings = ['--auth-root-authentication-method=socket', '--skip-test-db', '--skip-name-resolve'];
    await run(findProgram('mariadb-install-db', 'mysql_install_db'), ['--no-defaults', `--datadir=${data}`, ...settings, ...server.args]);
  } else {
    await run(server.program, ['--no-defaults', '--initialize-insecure', `--datadir=${data}`, ...server.args]);
  }
}
