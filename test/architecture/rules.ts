import { posix } from 'node:path';

import type { SourceFile } from './source-file.ts';

const ADAPTERS = ['oauth', 'mysql', 'redis', 'queue', 'mail', 'journal'];
const BELOW_POOL = ['domain', 'runtime', ...ADAPTERS];

/** Which folders of src/ a folder may import besides itself. `root` is src/*.ts and is imported by nobody. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  runtime: ['domain'],
  ...Object.fromEntries(ADAPTERS.map((adapter) => [adapter, ['domain', 'runtime']])),
  pool: BELOW_POOL,
  leader: [...BELOW_POOL, 'pool'],
  // No adapter: a route cannot reach a store past the verbs of the pool.
  http: ['domain', 'runtime', 'pool'],
  // The types of the options it fills in.
  config: [...BELOW_POOL, 'pool', 'leader', 'http'],
  // The wiring of service.ts in chapters: as free as the root, and used by the root alone.
  assembly: [...BELOW_POOL, 'pool', 'leader', 'http', 'config'],
  root: [...BELOW_POOL, 'pool', 'leader', 'http', 'config', 'assembly'],
};

/** The one folder that knows a package. What is not listed here is imported by nobody. */
const HOME_OF_PACKAGE: Readonly<Record<string, string>> = {
  'mysql2': 'mysql',
  'ioredis': 'redis',
  'redlock': 'redis',
  'bullmq': 'queue',
  'express': 'http',
  'swagger-ui-dist': 'http',
  'nodemailer': 'mail',
  'got': 'oauth',
  'pino': 'runtime',
  'prom-client': 'runtime',
  'yaml': 'config',
  'zod': 'config',
};

/** The files that are a process: they alone listen to signals and decide on the end. */
const PROCESS_FILES = ['main.ts', 'courier.ts'];
const OF_PROCESS_FILES_ALONE = ['on', 'once', 'addListener', 'exit', 'exitCode', 'abort', 'kill'];

const LONGEST_FILE = 250;
const LONGEST_MEDIAN_FILE = 120;
const LONGEST_FUNCTION = 80;
const LONG_FUNCTION = 40;
const SHARE_OF_LONG_FUNCTIONS = 0.1;

/** Names that say nothing about what is in a file, and so collect everything. */
const EMPTY_NAME = /^(index|types?|utils?|helpers?|common|misc|shared|interfaces?|constants?)$/;

/** Every breach of the house's rules, one sentence each; empty when all is well. */
export function breaches(files: readonly SourceFile[]): string[] {
  return [...files.flatMap((file) => [...fileBreaches(file), ...importBreaches(file), ...processBreaches(file)]), ...sizeBreaches(files)];
}

function fileBreaches(file: SourceFile): string[] {
  const name = posix.basename(file.path).replace(/(\.d)?\.ts$/, '');
  const found: string[] = [];
  if (!(folderOf(file.path) in MAY_IMPORT)) found.push(`${file.path}: the folder is not in the table of folders`);
  if (EMPTY_NAME.test(name)) found.push(`${file.path}: the name does not say what is in it`);
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) found.push(`${file.path}: the name is not kebab-case`);
  for (const other of file.exportsOfOthers) found.push(`${file.path}: exports what ${other} has, import it from there`);
  return found;
}

function importBreaches(file: SourceFile): string[] {
  return file.imports.flatMap((specifier) => {
    const fault = specifier.startsWith('.') ? relativeFault(file, specifier) : packageFault(file, specifier);
    return fault === undefined ? [] : [`${file.path}: ${fault}`];
  });
}

function relativeFault(file: SourceFile, specifier: string): string | undefined {
  const target = posix.join(posix.dirname(file.path), specifier);
  if (target.startsWith('..')) return `imports ${specifier}, which is outside src/`;
  if (!specifier.endsWith('.ts')) return undefined;
  const from = folderOf(file.path);
  const to = folderOf(target);
  return from === to || MAY_IMPORT[from]?.includes(to) === true ? undefined : `${from} may not import ${to}`;
}

function packageFault(file: SourceFile, specifier: string): string | undefined {
  const folder = folderOf(file.path);
  if (/^(node:)?process$/.test(specifier)) return 'imports process; the global one is what these rules can see';
  if (specifier.startsWith('node:')) return folder === 'domain' ? `domain may not import ${specifier}` : undefined;
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  const home = HOME_OF_PACKAGE[name];
  if (home === undefined) return `${name} is not in the table of packages`;
  return home === folder ? undefined : `${name} belongs to ${home} alone`;
}

function processBreaches(file: SourceFile): string[] {
  return [...new Set(file.processMembers)].flatMap((member) => {
    if (member === 'env' && folderOf(file.path) !== 'config') return [`${file.path}: process.env belongs to config alone`];
    const isReserved = OF_PROCESS_FILES_ALONE.includes(member) || member === '*';
    return isReserved && !PROCESS_FILES.includes(file.path) ? [`${file.path}: process.${member} belongs to ${PROCESS_FILES.join(' and ')} alone`] : [];
  });
}

function sizeBreaches(files: readonly SourceFile[]): string[] {
  const functions = files.flatMap(({ path, functions }) => functions.map(({ name, lines }) => ({ at: `${path}: ${name}`, lines })));
  const long = functions.filter(({ lines }) => lines >= LONG_FUNCTION);
  const median = medianOf(files.map(({ lines }) => lines));
  return [
    ...files.filter(({ lines }) => lines > LONGEST_FILE).map(({ path, lines }) => `${path}: ${String(lines)} lines, at most ${String(LONGEST_FILE)}`),
    ...(median > LONGEST_MEDIAN_FILE ? [`src: half of the files have over ${String(LONGEST_MEDIAN_FILE)} lines`] : []),
    ...functions.filter(({ lines }) => lines > LONGEST_FUNCTION).map(({ at, lines }) => `${at} has ${String(lines)} lines, at most ${String(LONGEST_FUNCTION)}`),
    ...(long.length > functions.length * SHARE_OF_LONG_FUNCTIONS ? [`src: over one in ten functions has ${String(LONG_FUNCTION)} lines or more`] : []),
  ];
}

function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0;
}

function folderOf(path: string): string {
  const [folder, ...rest] = path.split('/');
  return folder === undefined || rest.length === 0 ? 'root' : folder;
}
