import { execFileSync } from 'node:child_process';
import { chownSync, cpSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

import { parseDockerfile, type Dockerfile, type Stage } from './dockerfile.ts';

export const repository = join(import.meta.dirname, '../..');

export function readDockerfile(): Dockerfile {
  return parseDockerfile(readFileSync(join(repository, 'Dockerfile'), 'utf8'));
}

/** Whether the build is given this file or folder of the repository, by `.dockerignore`; the last pattern that fits decides. */
export function isInContext(path: string, ignore = readFileSync(join(repository, '.dockerignore'), 'utf8')): boolean {
  let given = true;
  for (const line of ignore.split('\n').map((text) => text.trim()).filter((text) => text !== '' && !text.startsWith('#'))) {
    const isException = line.startsWith('!');
    const pattern = new RegExp(`^${line.replace(/^!/, '').replaceAll('.', '\\.').replaceAll('*', '[^/]*')}(/|$)`);
    if (pattern.test(path)) given = isException;
  }
  return given;
}

/**
 * Carries out every stage in a folder of its own below `target`, as on a base that has nothing of ours: what COPY copies is copied, what RUN
 * runs is run, by the very commands of the Dockerfile. They must name relative paths only, since the folder is no root of a file system.
 * @returns the folder of the last stage
 */
export function buildInFolders({ stages }: Dockerfile, target: string): string {
  for (const stage of stages) buildStage(stage, target);
  return join(target, stages.at(-1)!.name);
}

function buildStage(stage: Stage, target: string): void {
  const root = join(target, stage.name);
  let workFolder = root;
  mkdirSync(root, { recursive: true });
  for (const { name, text } of stage.instructions) {
    if (name === 'WORKDIR') mkdirSync((workFolder = join(root, text)), { recursive: true });
    if (name === 'COPY') copy(text, root, workFolder, target);
    if (name === 'RUN') run(text, workFolder);
  }
}

function copy(text: string, root: string, workFolder: string, target: string): void {
  const words = text.split(' ');
  const options = Object.fromEntries(words.filter((word) => word.startsWith('--')).map((word) => word.slice(2).split('=') as [string, string]));
  const paths = words.filter((word) => !word.startsWith('--'));
  const to = paths.pop()!;
  const destination = to.startsWith('/') ? join(root, to) : join(workFolder, to);
  for (const path of paths) {
    const source = options['from'] === undefined ? fromContext(path) : join(target, options['from'], path);
    // As COPY does: of a folder its content, of a file the file itself, below a destination that ends in a slash.
    const place = to.endsWith('/') && !statSync(source).isDirectory() ? join(destination, basename(source)) : destination;
    mkdirSync(dirname(place), { recursive: true });
    cpSync(source, place, { recursive: true, verbatimSymlinks: true, filter: (file) => options['from'] !== undefined || isInContext(relative(repository, file)) });
    if (options['chown'] !== undefined && process.getuid?.() === 0) chownSync(place, ...(options['chown'].split(':').map(Number) as [number, number]));
  }
}

function fromContext(path: string): string {
  const source = join(repository, path);
  if (!existsSync(source)) throw new Error(`COPY ${path}: there is no such file`);
  if (!isInContext(path)) throw new Error(`COPY ${path}: .dockerignore keeps it from the build`);
  return source;
}

function run(command: string, workFolder: string): void {
  if (/(^|[\s=])\//.test(command)) throw new Error(`RUN ${command}: names an absolute path, so it cannot be tried in a folder`);
  const PATH = [dirname(process.execPath), process.env['PATH']].join(':');
  // What is in npm's cache need not come over the network once more; what a test runner sets would leak into the build.
  const env = { PATH, HOME: process.env['HOME'] ?? '/', npm_config_prefer_offline: 'true', npm_config_update_notifier: 'false' };
  execFileSync('/bin/sh', ['-c', command], { cwd: workFolder, env, stdio: ['ignore', 'ignore', 'pipe'] });
}
