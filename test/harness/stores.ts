import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createConnection } from 'mysql2/promise';

import { findDatabaseServer, placeDataFolder } from './mariadb-data-folder.ts';
import type { DatabaseServer } from './mariadb-data-folder.ts';
import { freePort } from './ports.ts';
import { ServerProcess } from './server-process.ts';
import { findProgram } from './store-programs.ts';

/** A store of the test's own; `restart` finds the same port and the same data. */
export interface Store {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  readonly dataFolder: string;
  /** Ends the server in order (SIGTERM); its data stays until `remove` is called or the test process ends. */
  stop(): Promise<void>;
  /** Ends the server without warning (SIGKILL). */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing is answered. */
  freeze(): void;
  thaw(): void;
  /** Ends the server and removes its data. */
  remove(): Promise<void>;
}

export interface MariaDb extends Store {
  /** May do everything, on every schema. */
  readonly user: string;
  readonly password: string;
  jdbcUrl(schema: string): string;
  restart(): Promise<void>;
}

export interface Redis extends Store {
  readonly url: string;
  /** Without `appendOnly`, or with `empty`, what it held is gone. */
  restart(options?: { readonly empty?: boolean }): Promise<void>;
}

const HOST = '127.0.0.1';

/** Another process may take the port between the look and the start; then another port is tried. */
const START_ATTEMPTS = 3;

/** A private MariaDB (or MySQL 8, when that is what the machine has), up and answering. */
export async function startMariaDb(options: { readonly args?: readonly string[] } = {}): Promise<MariaDb> {
  const server = await findDatabaseServer();
  return startOnFreePort('mariadb', async (port, folder) => {
    const login = { user: 'tester', password: randomBytes(12).toString('base64url') };
    const answers = (): Promise<boolean> => canLogIn({ host: HOST, port, ...login });
    const args = [...databaseArgs(server, port, folder), ...(options.args ?? [])];
    const process = new ServerProcess({ name: 'MariaDB', program: server.program, args, folder, answers });
    await placeDataFolder(server, folder);
    await writeFile(join(folder, 'init.sql'), createUser(login), { mode: 0o600 });
    const jdbcUrl = (schema: string): string => `jdbc:mysql://${HOST}:${String(port)}/${schema}?useSSL=false&serverTimezone=UTC`;
    const restart = async (): Promise<void> => {
      await process.stop();
      await process.start();
    };
    return { process, store: Object.assign(store(process, port, folder, 'data'), { ...login, jdbcUrl, restart }) };
  });
}

export interface RedisOptions {
  /** It keeps what it acknowledged over `stop` and `kill`. */
  readonly appendOnly?: boolean;
  readonly args?: readonly string[];
  /** Text of a configuration file, which the server may rewrite, as Sentinel has it done; `args` have precedence at each start. */
  readonly file?: string;
}

/** A private Redis. */
export async function startRedis(options: RedisOptions = {}): Promise<Redis> {
  const program = findProgram('redis-server', 'valkey-server');
  return startOnFreePort('redis', async (port, folder) => {
    const answers = (pid: number): Promise<boolean> => isRedisOf(pid, port);
    const file = options.file === undefined ? [] : [join(folder, 'redis.conf')];
    const args = [...file, ...redisArgs(port, folder, options.appendOnly ?? false), ...(options.args ?? [])];
    const process = new ServerProcess({ name: 'Redis', program, args, folder, answers });
    for (const path of file) await writeFile(path, options.file ?? '', { mode: 0o600 });
    const restart = async ({ empty = false } = {}): Promise<void> => {
      await process.stop();
      if (empty) await removeRedisData(folder);
      await process.start();
    };
    return { process, store: Object.assign(store(process, port, folder, '.'), { url: `redis://${HOST}:${String(port)}`, restart }) };
  });
}

interface Prepared<S> { readonly process: ServerProcess; readonly store: S }

async function startOnFreePort<S>(name: string, prepare: (port: number, folder: string) => Prepared<S> | Promise<Prepared<S>>): Promise<S> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    // In one go with what `prepare` does first, the start of its guard: nothing stays behind if we end here.
    const folder = mkdtempSync(join(tmpdir(), `tps-${name}-`));
    const { process, store } = await prepare(port, folder);
    try {
      await process.start();
      return store;
    } catch (error) {
      await process.remove();
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

function store(process: ServerProcess, port: number, folder: string, data: string): Store {
  return {
    host: HOST,
    port,
    get pid() { return process.pid; },
    dataFolder: join(folder, data),
    stop: () => process.stop(),
    kill: () => process.kill(),
    freeze: () => { process.freeze(); },
    thaw: () => { process.thaw(); },
    remove: () => process.remove(),
  };
}

function databaseArgs(server: DatabaseServer, port: number, folder: string): string[] {
  return [
    '--no-defaults',
    `--datadir=${join(folder, 'data')}`,
    `--socket=${join(folder, 'socket')}`,
    `--pid-file=${join(folder, 'pid')}`,
    // As it starts it removes the temporary tables of whoever else has the same folder.
    `--tmpdir=${folder}`,
    `--init-file=${join(folder, 'init.sql')}`,
    `--bind-address=${HOST}`,
    `--port=${String(port)}`,
    '--skip-name-resolve',
    '--default-time-zone=+00:00',
    '--max-connections=300',
    '--innodb-buffer-pool-size=64M',
    '--innodb-flush-log-at-trx-commit=1',
    ...(server.isMariaDb ? [] : ['--mysqlx=OFF', '--skip-log-bin']),
    ...server.args,
  ];
}

/** Run at every start, so it must not mind that the user is there already. */
function createUser({ user, password }: { readonly user: string; readonly password: string }): string {
  return [
    `CREATE USER IF NOT EXISTS '${user}'@'%' IDENTIFIED BY '${password}';`,
    `GRANT ALL PRIVILEGES ON *.* TO '${user}'@'%' WITH GRANT OPTION;`,
    '',
  ].join('\n');
}

/** The password is made for this one server, so a log-in proves whose server it is. */
async function canLogIn(address: { host: string, port: number, user: string, password: string }): Promise<boolean> {
  try {
    const connection = await createConnection({ ...address, connectTimeout: 1_000 });
    await connection.end();
    return true;
  } catch {
    return false;
  }
}

function redisArgs(port: number, folder: string, appendOnly: boolean): string[] {
  const persistence = ['--save', '', '--appendonly', appendOnly ? 'yes' : 'no'];
  return ['--bind', HOST, '--port', String(port), '--dir', folder, '--maxmemory-policy', 'noeviction', ...persistence];
}

async function removeRedisData(folder: string): Promise<void> {
  for (const name of ['appendonlydir', 'appendonly.aof', 'dump.rdb']) await rm(join(folder, name), { recursive: true, force: true });
}

/** Asks for the process id over a bare socket: a server that is still loading, or a stranger's, does not count. */
function isRedisOf(pid: number, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST, () => socket.write('INFO server\r\n'));
    let reply = '';
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => { end(false); });
    socket.on('error', () => { end(false); });
    socket.on('close', () => { end(false); });
    socket.setEncoding('utf8').on('data', (chunk) => {
      reply += String(chunk);
      if (reply.includes(`process_id:${String(pid)}\r`)) end(true);
      else if (reply.startsWith('-') || reply.includes('uptime_in_seconds')) end(false);
    });
  });
}
